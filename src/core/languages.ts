/** The languages of OpenAI's Whisper by code, with the English names its API answers with. */

const names = new Map(
	Object.entries({
		af: 'afrikaans',
		am: 'amharic',
		ar: 'arabic',
		as: 'assamese',
		az: 'azerbaijani',
		ba: 'bashkir',
		be: 'belarusian',
		bg: 'bulgarian',
		bn: 'bengali',
		bo: 'tibetan',
		br: 'breton',
		bs: 'bosnian',
		ca: 'catalan',
		cs: 'czech',
		cy: 'welsh',
		da: 'danish',
		de: 'german',
		el: 'greek',
		en: 'english',
		es: 'spanish',
		et: 'estonian',
		eu: 'basque',
		fa: 'persian',
		fi: 'finnish',
		fo: 'faroese',
		fr: 'french',
		gl: 'galician',
		gu: 'gujarati',
		ha: 'hausa',
		haw: 'hawaiian',
		he: 'hebrew',
		hi: 'hindi',
		hr: 'croatian',
		ht: 'haitian creole',
		hu: 'hungarian',
		hy: 'armenian',
		id: 'indonesian',
		is: 'icelandic',
		it: 'italian',
		ja: 'japanese',
		jw: 'javanese',
		ka: 'georgian',
		kk: 'kazakh',
		km: 'khmer',
		kn: 'kannada',
		ko: 'korean',
		la: 'latin',
		lb: 'luxembourgish',
		ln: 'lingala',
		lo: 'lao',
		lt: 'lithuanian',
		lv: 'latvian',
		mg: 'malagasy',
		mi: 'maori',
		mk: 'macedonian',
		ml: 'malayalam',
		mn: 'mongolian',
		mr: 'marathi',
		ms: 'malay',
		mt: 'maltese',
		my: 'myanmar',
		ne: 'nepali',
		nl: 'dutch',
		nn: 'nynorsk',
		no: 'norwegian',
		oc: 'occitan',
		pa: 'punjabi',
		pl: 'polish',
		ps: 'pashto',
		pt: 'portuguese',
		ro: 'romanian',
		ru: 'russian',
		sa: 'sanskrit',
		sd: 'sindhi',
		si: 'sinhala',
		sk: 'slovak',
		sl: 'slovenian',
		sn: 'shona',
		so: 'somali',
		sq: 'albanian',
		sr: 'serbian',
		su: 'sundanese',
		sv: 'swedish',
		sw: 'swahili',
		ta: 'tamil',
		te: 'telugu',
		tg: 'tajik',
		th: 'thai',
		tk: 'turkmen',
		tl: 'tagalog',
		tr: 'turkish',
		tt: 'tatar',
		uk: 'ukrainian',
		ur: 'urdu',
		uz: 'uzbek',
		vi: 'vietnamese',
		yi: 'yiddish',
		yo: 'yoruba',
		yue: 'cantonese',
		zh: 'chinese',
	}),
);

/** Aliases of codes in the table: newer or older ISO codes, and codes that operating systems use. */
const sameAs = new Map(
	Object.entries({
		cmn: 'zh',
		fil: 'tl',
		in: 'id',
		iw: 'he',
		jv: 'jw',
		nb: 'no',
	}),
);

const codes = new Map([...names].map(([code, name]) => [name, code]));

export const languageCodes: readonly string[] = [...names.keys()];

/** The English name, as in OpenAI's verbose_json. A regional code such as `pt-br` has the name of its language; an
 * unknown code is returned as it is. */
export function languageName(code: string): string {
	const [base = code] = code.split('-', 1);
	return names.get(base) ?? names.get(sameAs.get(base) ?? '') ?? code;
}

/** The codes that `given` may mean, the most exact first: `zh-TW` is `zh-tw`, then `zh`; `German` is `de`.
 * Empty where it is neither a code nor a name. */
export function languageCandidates(given: string): string[] {
	const text = given.trim().toLowerCase().replaceAll('_', '-');
	const named = codes.get(text);
	if (named !== undefined) return [named];
	if (!/^[a-z]{2,3}(-[a-z0-9]{2,8})*$/.test(text)) return [];
	const base = text.split('-', 1)[0] ?? text;
	return [...new Set([text, base, sameAs.get(base) ?? base])];
}

/** The first of the candidate codes that a model supports (null = it supports any); undefined if it supports none. */
export function fittingLanguage(
	candidates: readonly string[],
	known: readonly string[] | null,
): string | undefined {
	const fitting = known === null ? candidates.at(-1) : candidates.find((code) => known.includes(code));
	return fitting ?? candidates[0];
}
