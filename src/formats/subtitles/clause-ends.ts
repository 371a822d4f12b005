/** Where a line or a cue may end: after punctuation, else before a conjunction, never after an article. Pure. */

import { startsUnspaced, unspacedCharacter } from '../../core/speech/text.js';
import type { TimedWord } from './timed-words.js';

/** Costs of a cut, in proportion to each other. */
const costs = { sentence: 0, clause: 1, pause: 1.5, conjunction: 2, elsewhere: 5, torn: 8 } as const;

/** A pause this long between two words ends a phrase, seconds. */
const phrasePause = 0.35;

const closing = `["'”’»›)\\]）」』】》]*$`;
const sentenceEnd = new RegExp(`[.!?…。！？．؟۔।]${closing}`, 'u');
const clauseEnd = new RegExp(`[,;:、，；：،—–]${closing}`, 'u');
/** Abbreviations, whose full stop does not end a sentence. */
const abbreviation = /^["'“‘«(]*(\p{L}|Mr|Mrs|Ms|Dr|St|Prof|Jr|Sr|vs|bzw|usw|ca|Nr|Mme|Sra?|Sig)\.$/u;

/** Words that begin a clause, by language. */
const conjunctions = table({
	en: 'and but or nor so yet because although though while when whereas if unless until that which who where than',
	de: 'und oder aber denn sondern weil dass daß wenn als ob obwohl während bis damit',
	fr: 'et ou mais donc car que qui quand lorsque parce puisque si',
	es: 'y e o u pero sino porque que cuando aunque si mientras',
	it: 'e ed o ma però perché che quando se mentre anche',
	pt: 'e ou mas porque que quando se embora enquanto',
	nl: 'en of maar want omdat dat als wanneer terwijl hoewel',
	pl: 'i a ale lub oraz bo że gdy kiedy ponieważ',
	ru: 'и а но или что чтобы когда если потому',
});

/** Articles and prepositions, by language: they belong to the word after them. */
const leaning = table({
	en: 'a an the of to in on at for with by from as my your his her its our their this these those',
	de: 'der die das den dem des ein eine einen einem einer eines zu in im am an mit von vom für auf bei',
	fr: 'le la les un une des de du à au aux en dans pour sur avec par ce cette mon ma son sa',
	es: 'el la los las un una unos unas de del a al en con por para su mi',
	it: 'il lo la i gli le un uno una di del della a al alla da in nel con per su',
	pt: 'o a os as um uma de do da dos das em no na com por para',
	nl: 'de het een van in op met voor aan bij te',
	pl: 'w z na do od po za',
	ru: 'в на с к по от из у о за для',
});

/** The cost of a cut between two words of a transcript in this language (a code; null = not known). */
export function cutCost(before: TimedWord, after: TimedWord, language: string | null): number {
	if (sentenceEnd.test(before.text) && !abbreviation.test(before.text)) return costs.sentence;
	if (clauseEnd.test(before.text) || isPhraseSpace(before, after)) return costs.clause;
	if (after.start - before.end >= phrasePause) return costs.pause;
	const spoken = language?.split('-')[0] ?? '';
	const [left, right] = [bare(before.text), bare(after.text)];
	if (leaning.get(spoken)?.has(left) || conjunctions.get(spoken)?.has(left)) return costs.torn;
	return conjunctions.get(spoken)?.has(right) ? costs.conjunction : costs.elsewhere;
}

const endsUnspaced = new RegExp(`${unspacedCharacter.source}[\\p{M}]*$`, 'u');

/** Scripts without spaces between words may have them between phrases. */
function isPhraseSpace(before: TimedWord, after: TimedWord): boolean {
	return after.isSpaced && startsUnspaced(after.text) && endsUnspaced.test(before.text);
}

function bare(text: string): string {
	return text.replace(/^\p{P}+|\p{P}+$/gu, '').toLowerCase();
}

function table(words: Readonly<Record<string, string>>): ReadonlyMap<string, ReadonlySet<string>> {
	return new Map(Object.entries(words).map(([language, list]) => [language, new Set(list.split(' '))]));
}
