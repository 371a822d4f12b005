/** GET /v1/catalog: the models that can be pulled. */

import { EarshotError } from '../../core/errors.js';
import { isServable } from '../../models/catalog/catalog.js';
import { downloadBytes } from '../../models/catalog/size.js';
import type { CatalogModel } from '../../models/catalog/types.js';
import type { Installer } from '../../models/installer.js';
import type { ModelPool } from '../../pool/model-pool.js';
import type { RequestContext } from '../request/context.js';

export interface CatalogOptions {
	readonly pool: ModelPool;
	/** undefined: models cannot be pulled. */
	readonly installer?: Installer | undefined;
}

/** `?q=english fast`: only models that match every word, as in `earshot search`. */
export function listCatalog({ pool, installer }: CatalogOptions): (ctx: RequestContext) => void {
	return (ctx) => {
		if (installer === undefined) throw new EarshotError('not_found', 'This server cannot pull models');
		const words = String(ctx.query.q ?? '')
			.split(/[\s,]+/)
			.filter((word) => word !== '');
		const installed = new Set([
			...pool.models.map(({ id }) => id),
			...installer.store.manifests().map(({ id }) => id),
		]);
		const data = installer.catalog.search(words).map((model) => catalogBody(model, installed.has(model.id)));
		ctx.body = { object: 'list', data };
	};
}

function catalogBody(model: CatalogModel, isInstalled: boolean): object {
	const { id, title, family, engine, type, use, languages, languagesNote, features, licence } = model;
	return {
		id,
		object: 'catalog.model',
		title,
		family,
		engine,
		type,
		use,
		servable: isServable(model),
		languages,
		...(languagesNote === undefined ? {} : { languages_note: languagesNote }),
		features,
		license: licence,
		download_bytes: downloadBytes(model),
		memory_bytes: model.memoryBytes,
		speed: model.speed,
		installed: isInstalled,
	};
}
