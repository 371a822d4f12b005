/** File names in a CTranslate2 folder, as faster-whisper uses them. */

export const ctranslate2Model = 'model.bin';
/** The first existing one is read. */
export const vocabularyNames: readonly string[] = ['vocabulary.json', 'vocabulary.txt', 'tokenizer.json'];
/** All files that are read from the folder; a download needs no others. */
export const ctranslate2Names: readonly string[] = [
	ctranslate2Model,
	'config.json',
	'preprocessor_config.json',
	...vocabularyNames,
];
