/** Routes of webhook endpoints, with OpenAI's paths so that `client.webhooks` works, and the list of deliveries. */

import { EarshotError, expected } from '../../core/errors.js';
import type { Delivery } from '../../webhooks/deliveries.js';
import { type EndpointFields, rotated, updated, type WebhookEndpoint } from '../../webhooks/endpoints.js';
import { type WebhookEventType, webhookEventTypes } from '../../webhooks/event.js';
import { secretHint } from '../../webhooks/secret.js';
import type { Webhooks } from '../../webhooks/webhooks.js';
import type { RequestContext, RequestHandler } from '../request/context.js';
import { listed } from '../request/fields/fields.js';
import { requireTrust } from '../request/guard.js';
import { readJson } from '../upload/json.js';

export interface WebhookRouteOptions {
	readonly webhooks: Webhooks;
}

const managing = 'Managing webhook endpoints';
const maxBodyBytes = 64 * 1024;
const maxNameLength = 256;
const defaultLimit = 20;
const maxLimit = 100;

export function createWebhookEndpoint({ webhooks }: WebhookRouteOptions): RequestHandler {
	return async (ctx) => {
		requireTrust(ctx, managing);
		const { name, url, eventTypes } = await fieldsOf(ctx, webhooks);
		const fields = {
			name: name ?? missing('name', 'a text'),
			url: url ?? missing('url', 'an https URL'),
			eventTypes: eventTypes ?? missing('event_types', 'a list of events'),
		};
		const endpoint = await webhooks.addEndpoint(ctx.state.owner, fields);
		ctx.body = withSecret(endpoint);
	};
}

export function listWebhookEndpoints({ webhooks }: WebhookRouteOptions): RequestHandler {
	return async (ctx) => {
		requireTrust(ctx, managing);
		const page = pageOf(ctx);
		const all = (await webhooks.endpoints.list(ctx.state.owner)).map(endpointBody);
		ctx.body = listBody(await firstPage(all, page), page.limit);
	};
}

export function retrieveWebhookEndpoint({ webhooks }: WebhookRouteOptions): RequestHandler {
	return async (ctx) => {
		ctx.body = endpointBody(await ownEndpoint(ctx, webhooks));
	};
}

export function updateWebhookEndpoint({ webhooks }: WebhookRouteOptions): RequestHandler {
	return async (ctx) => {
		const { id } = await ownEndpoint(ctx, webhooks);
		const fields = await fieldsOf(ctx, webhooks);
		const nowSeconds = webhooks.now() / 1000;
		ctx.body = endpointBody(await changed(id, webhooks, (found) => updated(found, fields, nowSeconds)));
	};
}

export function deleteWebhookEndpoint({ webhooks }: WebhookRouteOptions): RequestHandler {
	return async (ctx) => {
		const endpoint = await ownEndpoint(ctx, webhooks);
		await webhooks.endpoints.remove(endpoint);
		ctx.body = { id: endpoint.id, object: 'webhook_endpoint.deleted', deleted: true };
	};
}

export function rotateWebhookSecret({ webhooks }: WebhookRouteOptions): RequestHandler {
	const field = 'keep_old_secret_active_for_24_hours';
	return async (ctx) => {
		const { id } = await ownEndpoint(ctx, webhooks);
		const keepOld = flagOf(await readJson(ctx, maxBodyBytes), field) ?? false;
		const nowSeconds = webhooks.now() / 1000;
		ctx.body = withSecret(await changed(id, webhooks, (found) => rotated(found, { keepOld, nowSeconds })));
	};
}

export function testWebhookEndpoint({ webhooks }: WebhookRouteOptions): RequestHandler {
	return async (ctx) => {
		const endpoint = await ownEndpoint(ctx, webhooks);
		const type = eventType((await readJson(ctx, maxBodyBytes)).event_type, 'event_type');
		const status = await webhooks.test(endpoint, type);
		ctx.body = {
			object: 'webhook_endpoint.test',
			webhook_endpoint_id: endpoint.id,
			event_type: type,
			status_code: status,
			success: true,
		};
	};
}

export function listWebhookEventTypes(ctx: RequestContext): void {
	ctx.body = { object: 'list', data: webhookEventTypes };
}

/** The deliveries of the last week and their results; OpenAI has no such route. */
export function listWebhookDeliveries({ webhooks }: WebhookRouteOptions): RequestHandler {
	return async (ctx) => {
		requireTrust(ctx, managing);
		const page = pageOf(ctx);
		const job = queryOf(ctx, 'job_id');
		const found = webhooks.deliveries.list(ctx.state.owner);
		async function* wanted(): AsyncGenerator<ReturnType<typeof deliveryBody>> {
			for await (const each of found) if (job === undefined || each.jobId === job) yield deliveryBody(each);
		}
		ctx.body = listBody(await firstPage(wanted(), page), page.limit);
	};
}

/** Throws `not_found` also for endpoints of other owners, so that their existence is not revealed. */
async function ownEndpoint(ctx: RequestContext, { endpoints }: Webhooks): Promise<WebhookEndpoint> {
	requireTrust(ctx, managing);
	const { id = '' } = ctx.params;
	const endpoint = await endpoints.find(id);
	if (endpoint?.owner === ctx.state.owner) return endpoint;
	throw noEndpoint(id);
}

/** Throws `not_found` if the endpoint was deleted while the body was received. */
async function changed(
	id: string,
	{ endpoints }: Webhooks,
	change: (found: WebhookEndpoint) => WebhookEndpoint,
): Promise<WebhookEndpoint> {
	const endpoint = await endpoints.change(id, change);
	if (endpoint === undefined) throw noEndpoint(id);
	return endpoint;
}

const noEndpoint = (id: string): EarshotError =>
	new EarshotError('not_found', `No webhook endpoint has the id \`${id}\``);

async function fieldsOf(ctx: RequestContext, { destinations }: Webhooks): Promise<Partial<EndpointFields>> {
	const body = await readJson(ctx, maxBodyBytes);
	const { name, url, event_types: types } = body;
	const isDisabled = flagOf(body, 'disabled');
	return {
		...(isGiven(name) && { name: checkedName(name) }),
		...(isGiven(url) && { url: destinations.check(textOf(url, 'url'), 'url').href }),
		...(isGiven(types) && { eventTypes: eventTypesOf(types) }),
		...(isDisabled !== undefined && { isDisabled }),
	};
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

function missing(param: string, what: string): never {
	throw expected(param, what, undefined);
}

function textOf(value: unknown, param: string): string {
	if (typeof value === 'string') return value;
	throw expected(param, 'a text', value);
}

function flagOf(body: Readonly<Record<string, unknown>>, param: string): boolean | undefined {
	const value = body[param];
	if (!isGiven(value)) return undefined;
	if (typeof value === 'boolean') return value;
	throw expected(param, '`true` or `false`', value);
}

function checkedName(value: unknown): string {
	const name = textOf(value, 'name').trim();
	if (name !== '' && name.length <= maxNameLength && !/\p{C}/u.test(name)) return name;
	throw expected('name', `a text of 1 to ${maxNameLength} characters without control characters`, value);
}

function eventTypesOf(value: unknown): WebhookEventType[] {
	if (!Array.isArray(value) || value.length === 0)
		throw expected('event_types', `a list of ${listed(webhookEventTypes)}`, value);
	return [...new Set(value.map((type) => eventType(type, 'event_types')))];
}

function eventType(value: unknown, param: string): WebhookEventType {
	const type = webhookEventTypes.find((each) => each === value);
	if (type === undefined) throw expected(param, listed(webhookEventTypes), value);
	return type;
}

interface Page {
	readonly after: string | undefined;
	readonly limit: number;
}

function pageOf(ctx: RequestContext): Page {
	const given = queryOf(ctx, 'limit');
	const limit = given === undefined ? defaultLimit : Number(given);
	if (!Number.isInteger(limit) || limit < 1 || limit > maxLimit)
		throw expected('limit', `a whole number from 1 to ${maxLimit}`, given);
	return { after: queryOf(ctx, 'after'), limit };
}

function queryOf(ctx: RequestContext, name: string): string | undefined {
	const value = ctx.query[name];
	if (Array.isArray(value)) throw expected(name, 'given once', value.join(', '));
	return value === undefined || value === '' ? undefined : value;
}

/** The items after `after`: a page, and one more if there is a next page. Throws `invalid_request`. */
async function firstPage<T extends { readonly id: string }>(
	all: Iterable<T> | AsyncIterable<T>,
	{ after, limit }: Page,
): Promise<T[]> {
	const page: T[] = [];
	let hasBegun = after === undefined;
	for await (const each of all) {
		if (hasBegun) page.push(each);
		else hasBegun = each.id === after;
		if (page.length > limit) break;
	}
	if (!hasBegun) throw expected('after', 'an id of this list', after);
	return page;
}

function listBody<T extends { readonly id: string }>(page: readonly T[], limit: number): object {
	const data = page.slice(0, limit);
	return {
		object: 'list',
		data,
		first_id: data[0]?.id ?? null,
		last_id: data.at(-1)?.id ?? null,
		has_more: page.length > limit,
	};
}

function endpointBody(endpoint: WebhookEndpoint) {
	const { id, name, url, eventTypes, secrets, createdAt, updatedAt, isDisabled } = endpoint;
	return {
		id,
		object: 'webhook_endpoint',
		created_at: createdAt,
		updated_at: updatedAt,
		name,
		url,
		event_types: eventTypes,
		signing_secret_hint: secrets[0] === undefined ? null : secretHint(secrets[0].secret),
		disabled: isDisabled,
	};
}

/** Includes the secret, which is returned only once, when it is new. */
function withSecret(endpoint: WebhookEndpoint): object {
	return { ...endpointBody(endpoint), signing_secret: endpoint.secrets[0]?.secret };
}

function deliveryBody(delivery: Delivery) {
	const { id, eventId, type, jobId, endpointId, createdAt, state, tries, nextAtMs } = delivery;
	return {
		id,
		object: 'webhook_delivery',
		created_at: createdAt,
		event_id: eventId,
		event_type: type,
		job_id: jobId,
		webhook_endpoint_id: endpointId,
		status: state,
		next_try_at: nextAtMs === null ? null : Math.floor(nextAtMs / 1000),
		tries: tries.map(({ at, ms, status, error }) => ({
			started_at: at,
			duration_ms: ms,
			status_code: status,
			error,
		})),
	};
}
