/** The files of a folder as faster-whisper has it. */

export const ctranslate2Model = 'model.bin';
/** The first one that is there is read. */
export const vocabularyNames: readonly string[] = ['vocabulary.json', 'vocabulary.txt', 'tokenizer.json'];
/** All that a folder is read for; a download needs no other files of it. */
export const ctranslate2Names: readonly string[] = [
	ctranslate2Model,
	'config.json',
	'preprocessor_config.json',
	...vocabularyNames,
];
