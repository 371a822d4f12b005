/** Chooses the beam size of each clip: how many candidate texts the search keeps. Pure. */

/** For shorter clips a beam does not improve accuracy, and costs half as much again as greedy search; see
 * docs/internals/performance.md. */
const longClipSeconds = 13;
const beamOfLongClips = 5;

/** `setting`: 1 to 8, or `auto`. */
export function beamSizeFor(clipSeconds: number, setting: number | 'auto'): number {
	if (setting !== 'auto') return setting;
	return clipSeconds >= longClipSeconds ? beamOfLongClips : 1;
}
