/** Pulls, adds and removes models, for the command and the server: keeps catalog, store and models.yaml in step. */

import path from 'node:path';
import { earshot } from '../core/command-line.js';
import { networkEnvironment } from '../core/config/environment.js';
import { diskFailure, makeFolder } from '../core/disk/disk.js';
import { type Lock, takeLock } from '../core/disk/lock.js';
import { EarshotError, expected } from '../core/errors.js';
import { diarizationType } from '../core/speech/model-info.js';
import type { Catalog } from './catalog/catalog.js';
import { type CheckSherpa, checkContents } from './contents.js';
import { convertFolder } from './convert.js';
import { entryPlaceOf, type LocalPlaces, locate, locateInHubCache } from './locate.js';
import { notInCatalog, notInstalled } from './messages.js';
import type { PullDeps, PullProgress } from './pull/deps.js';
import type { NetworkSettings } from './pull/network.js';
import { pull } from './pull/pull.js';
import { type Pull, PullTracker } from './pull/tracker.js';
import { demoId } from './registry/demo.js';
import { type NewEntry, withEntry, withoutEntry } from './registry/edit.js';
import { isModelId, type ModelEntry, modelIdRule } from './registry/entry.js';
import { editRegistry } from './registry/file.js';
import { type PullPlan, planFor, planOfCatalog, wasAdded } from './registry/pull-plan.js';
import { type ModelRegistry, unservable } from './registry/registry.js';
import { Int8Files } from './store/int8-files.js';
import { type Manifest, Store } from './store/store.js';
import type { IdentifiedModel } from './types/identify.js';
import { modelTypes } from './types/types.js';

export interface PullOptions {
	readonly acceptLicence?: boolean;
	/** Accept files that differ from those of the first pull. */
	readonly repin?: boolean;
	readonly aliases?: readonly string[];
}

export interface AddOptions {
	readonly id?: string | undefined;
	readonly type?: string | undefined;
	readonly aliases?: readonly string[];
	/** Lets the user choose one of several models in a folder; absent = an error names them. */
	readonly choose?: LocalPlaces['choose'];
	/** Checks the files of a model for sherpa-onnx; absent = they are checked when it is loaded. */
	readonly checkSherpa?: CheckSherpa;
	/** Progress of a conversion to ggml, in bytes. */
	readonly onProgress?: (written: number, total: number) => void;
}

export interface Removed {
	readonly id: string;
	/** Whether files were removed; false for files that Earshot did not pull. */
	readonly files: boolean;
	readonly entry: boolean;
}

/** All except `onWarning` are for tests. */
export interface InstallerDeps extends Pick<PullDeps, 'disk' | 'tuning' | 'wait'> {
	/** Called once for each source of a model that was abandoned for the next. */
	readonly onWarning?: (id: string, warning: string) => void;
}

export class Installer {
	readonly store: Store;
	readonly #registry: () => ModelRegistry;
	readonly #onChange: () => void;
	readonly #network: NetworkSettings;
	readonly #deps: InstallerDeps;
	readonly #pulls = new PullTracker();

	/** `onChange` is called after models.yaml or the files of a model have changed. */
	constructor(registry: () => ModelRegistry, onChange: () => void = () => {}, deps: InstallerDeps = {}) {
		this.#registry = registry;
		this.#onChange = onChange;
		this.#deps = deps;
		const { modelDir, mirror } = registry().config;
		this.store = new Store(modelDir);
		this.#network = { ...networkEnvironment(), mirror };
	}

	get catalog(): Catalog {
		return this.#registry().catalog;
	}

	/** The id of the configured, stored or catalog model with this name. OpenAI's names count only if the user has
	 * assigned them to a model. Unknown names are returned as they are. */
	idOf(name: string): string {
		const { entries, problems, names, catalog } = this.#registry();
		const isId = [...entries, ...problems].some(({ id }) => id === name);
		if (isId || catalog.find(name) || this.store.knows(name)) return name;
		const found = names.findOwn(name);
		if (found) return 'entry' in found ? found.entry.id : found.problem.id;
		return catalog.resolve(name)?.id ?? name;
	}

	/** What `pull` would download. Throws `model_not_found`, `conflict`, `config_invalid`. */
	plan(name: string): PullPlan {
		const { entries, problems, catalog, config } = this.#registry();
		const id = this.idOf(name);
		const entry = entries.find((each) => each.id === id);
		if (entry?.demo)
			throw new EarshotError('conflict', `\`${id}\` is part of Earshot, so there is nothing to pull`);
		const problem = entry ? undefined : problems.find((each) => each.id === id);
		// A pull would replace the entry, although the user only made a mistake in it.
		if (problem) throw unservable(problem);
		const model = catalog.find(id);
		if (entry) {
			const plan = planFor(entry, catalog, config.modelDir);
			if (plan) return plan;
			throw wasAdded(id);
		}
		if (model) return planOfCatalog(model);
		throw new EarshotError('model_not_found', notInCatalog(name, catalog), { param: 'model' });
	}

	canPull(name: string): boolean {
		try {
			this.plan(name);
			return true;
		} catch {
			return false;
		}
	}

	/** Starts a pull or joins the running one. Throws `model_not_found`, `licence_unaccepted`, `config_invalid`. */
	pull(name: string, options: PullOptions = {}): Pull {
		const plan = this.plan(name);
		const { id, licence } = plan;
		const installed = this.store.manifest(id);
		if (licence?.osi === false && options.acceptLicence !== true && installed === undefined) {
			throw new EarshotError(
				'licence_unaccepted',
				`The licence of \`${id}\` (${licence.name}, ${licence.url}) is not open source. Read it, and if you accept it: ${earshot(`pull ${id} --accept-license`)}; over HTTP {"accept_license": true}`,
				{ param: 'accept_license' },
			);
		}
		return this.#pulls.start(id, (signal) => this.#run(plan, options, signal));
	}

	/** The last pull of that model in this process. */
	lastPull(name: string): Pull | undefined {
		return this.#pulls.find(this.idOf(name));
	}

	/** Pulls a configured model and resolves when it is installed. Throws as the pull does. */
	async fetch({ id }: Pick<ModelEntry, 'id'>, signal: AbortSignal): Promise<void> {
		const running = this.pull(id);
		for await (const { state, error } of running.statuses(signal)) {
			if (state === 'failed' && error) throw error;
			if (state === 'done') return;
		}
		throw new EarshotError('cancelled', `the download of \`${id}\` was cancelled`);
	}

	/** Removes the model's entry in models.yaml and the files that were pulled. Throws `model_not_found`, `conflict`. */
	async remove(name: string, signal: AbortSignal): Promise<Removed> {
		const { config, entries, problems } = this.#registry();
		const id = this.idOf(name);
		if (id === demoId)
			throw new EarshotError('conflict', `\`${id}\` is part of Earshot and cannot be removed`);
		if (this.#pulls.find(id)?.isRunning)
			throw new EarshotError('conflict', `\`${id}\` is being pulled; cancel that first`);
		const found = entries.find((each) => each.id === id);
		// An entry with a mistake too, since removing it repairs models.yaml.
		const entry = found !== undefined || problems.some((each) => each.id === id);
		if (!entry && !this.store.knows(id))
			throw new EarshotError('model_not_found', notInstalled(name, this.#registry()), { param: 'model' });
		const int8 = new Int8Files(this.store.modelDir);
		const manifest = this.store.manifest(id);
		const stored = manifest?.files.map(({ path: name }) => path.join(this.store.folderOf(manifest), name));
		const made = [...Object.values(found?.files ?? {}), ...(stored ?? [])].map((file) => int8.nameOf(file));
		// The entry is removed first, so that no request loads the model meanwhile.
		if (entry) {
			await editRegistry(config.config, config.modelDir, (text) => withoutEntry(text, id), signal);
			this.#onChange();
		}
		let lock: Lock | undefined;
		try {
			await makeFolder(this.store.modelDir);
			lock = await takeLock(await this.store.lockPath(id), signal);
			const files = await this.store.remove(id);
			await int8.remove(made);
			return { id, entry, files };
		} catch (thrown) {
			throw diskFailure(thrown, this.store.modelDir) ?? thrown;
		} finally {
			await lock?.release();
			this.#onChange();
		}
	}

	/** Adds a model on this machine to models.yaml, without moving it; a CTranslate2 folder is first converted to a ggml
	 * file in the model folder. Throws `invalid_request`, `conflict`, and as `convertFolder`. */
	async add(target: string, options: AddOptions, signal: AbortSignal): Promise<NewEntry> {
		const { config, entries, problems } = this.#registry();
		const found = await locate(target, options.type ?? '', {
			catalog: this.catalog,
			hubCache: this.#network.hubCache,
			choose: options.choose,
		});
		const types = [...modelTypes, diarizationType];
		if (!types.includes(found.type))
			throw expected('type', `a type that can be served (${types.join(', ')})`, found.type);
		const id = options.id ?? found.id;
		// Checked before anything is written, since folders of the store are named after the id.
		if (!isModelId(id)) throw expected('id', modelIdRule, id);
		if ([...entries, ...problems].some((each) => each.id === id))
			throw new EarshotError(
				'conflict',
				`models.yaml already has a model \`${id}\`; choose another id with --id`,
				{
					param: 'id',
				},
			);
		await checkContents(found, options.checkSherpa);
		const isConverted = found.form === 'ctranslate2';
		const entry: NewEntry = {
			id,
			type: found.type,
			...(isConverted
				? await this.#converted(found, id, options, signal)
				: entryPlaceOf(found, config.modelDir)),
			...(options.aliases ? { aliases: options.aliases } : {}),
		};
		try {
			await editRegistry(config.config, config.modelDir, (text) => withEntry(text, entry), signal);
		} catch (thrown) {
			if (isConverted) await this.store.remove(id);
			throw thrown;
		}
		this.#onChange();
		return entry;
	}

	async #converted(
		{ folder }: IdentifiedModel,
		id: string,
		{ onProgress }: AddOptions,
		signal: AbortSignal,
	): Promise<Pick<NewEntry, 'dir' | 'files' | 'options'>> {
		const { disk } = this.#deps;
		const { manifest, alignmentHeads } = await convertFolder(folder, id, {
			store: this.store,
			signal,
			...(onProgress ? { onProgress } : {}),
			...(disk ? { disk } : {}),
		});
		return {
			dir: manifest.folder,
			files: manifest.roles,
			options: alignmentHeads === '' ? {} : { alignment_heads: alignmentHeads },
		};
	}

	/** Ids of catalog models whose files are in the Hugging Face cache. */
	async inHubCache(): Promise<readonly string[]> {
		const found = await Promise.all(
			this.catalog.models.map(async (model) =>
				(await locateInHubCache(model, this.#network.hubCache)) ? [model.id] : [],
			),
		);
		return found.flat();
	}

	close(): Promise<void> {
		return this.#pulls.close();
	}

	async *#run(plan: PullPlan, options: PullOptions, signal: AbortSignal): AsyncGenerator<PullProgress> {
		const { onWarning, ...given } = this.#deps;
		const deps: PullDeps = {
			...given,
			store: this.store,
			settings: this.#network,
			signal,
			repin: options.repin ?? false,
		};
		let warned: string | undefined;
		for await (const progress of pull(plan, deps)) {
			const { warning } = progress;
			if (warning !== undefined && warning !== warned) onWarning?.(plan.id, warning);
			warned = warning;
			// Added to models.yaml before `done` is reported.
			if (progress.manifest) await this.#register(plan, progress.manifest, options, signal);
			yield progress;
		}
	}

	async #register(
		plan: PullPlan,
		manifest: Manifest,
		{ aliases }: PullOptions,
		signal: AbortSignal,
	): Promise<void> {
		const { config, entries } = this.#registry();
		if (plan.isServable && !entries.some(({ id }) => id === plan.id)) {
			const entry = this.#entryOf(plan, manifest, aliases);
			await editRegistry(config.config, config.modelDir, (text) => withEntry(text, entry), signal);
		}
		this.#onChange();
	}

	#entryOf(plan: PullPlan, manifest: Manifest, aliases: readonly string[] = []): NewEntry {
		const model = this.catalog.find(plan.id);
		const languages = model?.languages ?? [];
		return {
			id: plan.id,
			type: plan.type,
			dir: manifest.folder,
			files: manifest.roles,
			options: model?.options ?? {},
			// Whisper's files hold their languages themselves.
			...(languages.length > 0 && !languages.includes('mul') && !plan.type.startsWith('whisper')
				? { languages }
				: {}),
			...(aliases.length > 0 ? { aliases } : {}),
		};
	}
}
