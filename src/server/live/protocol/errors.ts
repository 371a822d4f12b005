/** Converts errors to the form of the realtime protocol. */

import { type EarshotError, errorCodes } from '../../../core/errors.js';
import { withoutFolders } from '../../request/failure.js';
import { type EventError, Refused } from './events.js';

const transcription = 'session.audio.input.transcription';

/** Request field → path of the corresponding session field. */
const paths: Readonly<Record<string, string>> = {
	model: `${transcription}.model`,
	language: `${transcription}.language`,
	languages: `${transcription}.languages`,
	keywords: `${transcription}.keywords`,
	prompt: `${transcription}.prompt`,
	include: 'session.include',
	turn_detection: 'session.audio.input.turn_detection',
};

/** Removes folders from the message, since clients must not learn file paths of this machine. */
export function eventError({ code, message, param }: EarshotError): EventError {
	const path = param ?? (code === 'model_not_found' ? 'model' : undefined);
	return {
		type: errorCodes[code].type,
		code,
		message: withoutFolders(message),
		param: path === undefined ? null : (paths[path] ?? path),
	};
}

export function refusedAs(error: EarshotError): Refused {
	const { type, code, message, param } = eventError(error);
	return new Refused(code, message, param, type);
}
