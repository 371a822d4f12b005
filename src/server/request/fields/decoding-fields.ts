/** Fields that override the settings of a Whisper model for one request; they are validated like the settings. Pure. */

import { requestSettingNames } from '../../../core/config/scopes.js';
import { fileKeyOf, settings } from '../../../core/config/settings.js';
import { Expectation } from '../../../core/config/values.js';
import { expected } from '../../../core/errors.js';
import type { DecodingOptions } from '../../../core/speech/options.js';
import { type FieldName, type Fields, fieldOf } from './fields.js';

const fieldsOfSettings = requestSettingNames.map((name) => {
	const field = fieldOf(fileKeyOf(name));
	if (field === undefined) throw new Error(`${name} has no field`);
	return [name, field] as const;
});

export interface GivenDecoding {
	readonly options: DecodingOptions;
	/** The fields that contained the options. */
	readonly fields: readonly FieldName[];
}

/** Throws `invalid_request`, with the field as `param`. */
export function parseDecoding(fields: Fields): GivenDecoding {
	const given = fieldsOfSettings.flatMap(([name, field]) => {
		const text = fields.text(field);
		return text === undefined ? [] : [{ name, field, text }];
	});
	return {
		options: Object.fromEntries(given.map(({ name, field, text }) => [name, parsed(name, field, text)])),
		fields: given.map(({ field }) => field),
	};
}

function parsed(name: (typeof requestSettingNames)[number], field: FieldName, text: string): number | 'auto' {
	try {
		return settings[name].parse(text);
	} catch (thrown) {
		if (!(thrown instanceof Expectation)) throw thrown;
		throw expected(field, thrown.message, text);
	}
}
