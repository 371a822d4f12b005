/** Error messages for names without a model: they suggest other names and the command to run. Pure. */

import { earshot } from '../core/command-line.js';
import type { Catalog } from './catalog/catalog.js';
import { isOpenAiName } from './catalog/names.js';
import { demoId } from './registry/demo.js';
import { alternatives, type ModelRegistry } from './registry/registry.js';
import type { Manifest } from './store/store.js';

/** The model closest to OpenAI's for its size. */
const nearestToOpenAi = 'whisper-large-v3-turbo-q5_0';

/** The error for a name that cannot be pulled. */
export function notInCatalog(name: string, catalog: Catalog): string {
	if (isOpenAiName(name))
		return `\`${name}\` is one of OpenAI's models, which cannot be downloaded; requests for it use the default model. The closest available model: ${earshot(`pull ${nearestToOpenAi}`)}`;
	const [first, ...more] = catalog.similar(name);
	const missing = `The catalog has no model \`${name}\`.`;
	if (first === undefined)
		return `${missing} To list the available models: ${earshot('search')}; to add a model that you have: ${earshot('add PATH')}`;
	return `${missing} Did you mean ${alternatives([first, ...more])}? To download it: ${earshot(`pull ${first}`)}`;
}

/** The error for a name that is neither in models.yaml nor in the store. */
export function notInstalled(
	name: string,
	{ names, defaultModel }: Pick<ModelRegistry, 'names' | 'defaultModel'>,
): string {
	if (isOpenAiName(name)) {
		const remove = defaultModel === demoId ? '' : `. To remove that: ${earshot(`rm ${defaultModel}`)}`;
		return `\`${name}\` is another name of the default model here${remove}`;
	}
	const [first, ...more] = names.similar(name);
	const missing = `The model \`${name}\` is not on this machine.`;
	return first === undefined
		? `${missing} To list the installed models: ${earshot('list')}`
		: `${missing} Did you mean ${alternatives([first, ...more])}? Then: ${earshot(`rm ${first}`)}`;
}

/** The error for a name that is neither in the catalog nor in models.yaml. */
export function notKnown(name: string, { names, catalog }: Pick<ModelRegistry, 'names' | 'catalog'>): string {
	const [first, ...more] = [...names.similar(name), ...catalog.similar(name)];
	const missing = `The model \`${name}\` is neither in the catalog nor in models.yaml.`;
	return first === undefined
		? `${missing} To list the available models: ${earshot('search')}`
		: `${missing} Did you mean ${alternatives([...new Set([first, ...more])].slice(0, 3))}? Then: ${earshot(`show ${first}`)}`;
}

/** The command that repairs a model whose files are missing or damaged; '' = there is none. It is never a pull of a
 * model that was added or converted and is not in a catalog. */
export function repairCommand(id: string, manifest: Manifest | undefined, canBePulled: boolean): string {
	if (manifest?.madeOf !== undefined)
		return `${earshot(`rm ${id}`)}, then ${earshot(`add ${manifest.madeOf} --id ${id}`)}`;
	return canBePulled ? earshot(`pull ${id}`) : '';
}
