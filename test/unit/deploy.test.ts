/** What `deploy/` says exists: settings, commands, metrics, packages. With Helm, the chart as it is rendered, too. */

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { settingNames, settings, variableOf } from '../../src/core/config/settings.js';
import { Metrics } from '../../src/core/metrics.js';
import { clusterPackages } from '../../src/core/optional-packages.js';
import { root } from '../helpers/fixtures.js';

const folder = path.join(root, 'deploy');
const files = readdirSync(folder, { recursive: true, withFileTypes: true })
	.filter((entry) => entry.isFile())
	.map((entry) => path.join(entry.parentPath, entry.name));
const textOf = (file: string): string => readFileSync(path.join(folder, file), 'utf8');
const texts = files.map((file) => [path.relative(folder, file), readFileSync(file, 'utf8')] as const);

test('variables are those of settings', () => {
	const known = new Set([...settingNames.map(variableOf), 'EARSHOT_EXTRAS']);
	const unknown = texts.flatMap(([file, text]) =>
		[...text.matchAll(/\bEARSHOT_[A-Z][A-Z_]*[A-Z]\b/g)]
			.map(([name]) => name)
			.filter((name) => !known.has(name))
			.map((name) => `${file}: ${name}`),
	);
	expect(unknown).toEqual([]);
});

test('commands and flags of containers exist', () => {
	const flags = new Set(settingNames.map((name) => `--${settings[name].flag}`));
	const lists = texts.flatMap(([, text]) => [
		...text.matchAll(/(?:command|args): \[((?:serve|worker|pull)[^\]]*)\]/g),
	]);
	expect(lists.length).toBeGreaterThan(4);
	for (const [, list = ''] of lists)
		for (const flag of list.split(', ').filter((word) => word.startsWith('--')))
			expect(flags).toContain(flag);
});

test('metrics exist', async () => {
	const metrics = await new Metrics().render();
	const named = texts.flatMap(([, text]) => [...text.matchAll(/\bearshot_[a-z_]+/g)].map(([name]) => name));
	expect(named).toContain('earshot_queue_seconds');
	for (const name of new Set(named)) expect(metrics).toContain(`# TYPE ${name} `);
});

test('packages have the versions that are tested', () => {
	const named = texts.flatMap(([, text]) => [
		...text.matchAll(/\b(bullmq|ioredis|pg|aws4fetch)@([\d.]+\d)/g),
	]);
	expect(named.length).toBeGreaterThan(3);
	for (const [, name, version] of named)
		expect({ [name!]: version }).toEqual({ [name!]: clusterPackages[name as 'pg'] });
});

test('the chart has the version of the package', () => {
	const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
		version: string;
	};
	expect(parse(textOf('helm/Chart.yaml'))).toMatchObject({ version, appVersion: version });
});

/** Of the constant in the command's source, seconds. */
const graceOf = (command: string): number => {
	const source = readFileSync(path.join(root, 'src/cli/commands/serve', command), 'utf8');
	return Number(/const graceMs = ([\d_]+);/.exec(source)?.[1]?.replaceAll('_', '')) / 1000;
};

interface ComposeService {
	readonly build?: object;
	readonly image?: string;
	readonly extends?: string;
	readonly stop_grace_period?: string;
}

/** Services of a compose file, with what they extend. */
function servicesOf(text: string): ComposeService[] {
	const { services } = parse(text, { logLevel: 'error' }) as { services: Record<string, ComposeService> };
	return Object.values(services).map((service) => ({ ...services[service.extends ?? ''], ...service }));
}

/** How long each thing of a file that runs a server or a worker waits before it is killed, seconds; NaN: not said. */
function graceIn(file: string, text: string): number[] {
	const numbers = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, seconds]) => Number(seconds));
	if (/^compose.*\.yaml$/.test(file))
		return servicesOf(text)
			.filter(({ build }) => build !== undefined)
			.map((service) => Number.parseInt(service.stop_grace_period ?? '', 10));
	if (file.endsWith('.service')) return [numbers(/^TimeoutStopSec=(\d+)$/gm)[0] ?? NaN];
	if (file.endsWith('.plist'))
		return [numbers(/<key>ExitTimeOut<\/key>\s*<integer>(\d+)<\/integer>/g)[0] ?? NaN];
	return [];
}

test('everything that stops a server or a worker waits for as long as it drains', () => {
	const [server, worker] = [graceOf('serve.ts'), graceOf('worker.ts')];
	expect(server).toBeGreaterThan(0);
	expect(worker).toBeGreaterThan(0);
	const values = parse(textOf('helm/values.yaml'));
	const afterPreStop = values.gateway.terminationGracePeriodSeconds - 5;
	expect(afterPreStop).toBeGreaterThan(server);
	expect(values.worker.terminationGracePeriodSeconds).toBeGreaterThan(worker);
	const found = texts.flatMap(([file, text]) => graceIn(file, text).map((seconds) => ({ file, seconds })));
	// Two for each of the clusters.
	expect(found.length).toBeGreaterThan(6);
	for (const { file, seconds } of found)
		expect([file, seconds > Math.max(server, worker)]).toEqual([file, true]);
});

const helm = process.env.EARSHOT_TEST_HELM || 'helm';
const hasHelm = spawnSync(helm, ['version'], { encoding: 'utf8' }).status === 0;
if (!hasHelm) process.stderr.write('skipped: helm is not installed, so the chart is not rendered\n');

interface Manifest {
	readonly kind: string;
	readonly metadata: { readonly name: string };
	// biome-ignore lint/suspicious/noExplicitAny: Kubernetes' own shapes, which the chart's test looks into.
	readonly spec: any;
}

function rendered(...given: string[]): {
	readonly status: number | null;
	readonly said: string;
	readonly all: Manifest[];
} {
	const args = [
		'template',
		'rel',
		path.join(folder, 'helm'),
		'--namespace',
		'speech',
		'--kube-version',
		'1.31.0',
	];
	const { status, stdout, stderr } = spawnSync(helm, [...args, ...given.flatMap((each) => ['--set', each])], {
		encoding: 'utf8',
	});
	const all = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest | null);
	return { status, said: stderr, all: all.flatMap((each) => each ?? []) };
}

const needed = ['image.repository=registry/earshot', 'queue.existingSecret=queue-url'];

describe.skipIf(!hasHelm)('the chart', () => {
	const named = (all: readonly Manifest[], kind: string, end = ''): Manifest =>
		all.find((each) => each.kind === kind && each.metadata.name.endsWith(end))!;
	const podsOf = (all: readonly Manifest[]) =>
		['gateway', 'worker'].map((end) => named(all, 'Deployment', end).spec.template.spec);
	const envOf = (pod: ReturnType<typeof podsOf>[number]): Map<string, string | undefined> =>
		new Map(pod.containers[0].env.map(({ name, value }: { name: string; value?: string }) => [name, value]));

	test('passes the linter', () => {
		const set = needed.flatMap((each) => ['--set', each]);
		const { status, stdout } = spawnSync(helm, ['lint', '--strict', path.join(folder, 'helm'), ...set], {
			encoding: 'utf8',
		});
		expect([status, stdout]).toEqual([0, expect.stringContaining('0 chart(s) failed')]);
	});

	test('runs as an unprivileged user, on a read-only file system', () => {
		for (const pod of podsOf(rendered(...needed, 'models.pull={whisper-tiny.en}').all)) {
			expect(pod).toMatchObject({ enableServiceLinks: false, automountServiceAccountToken: false });
			expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 10001 });
			for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
				expect(container.securityContext).toEqual({
					allowPrivilegeEscalation: false,
					readOnlyRootFilesystem: true,
					capabilities: { drop: ['ALL'] },
				});
				const mounts = container.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath);
				expect(mounts).toEqual(['/tmp', '/models', '/blobs']);
			}
		}
	});

	test('takes secrets by reference, and has none in it', () => {
		const [gateway, worker] = podsOf(rendered(...needed, 'apiKeys.existingSecret=keys').all);
		const from = (name: string) => ({ secretKeyRef: { name, key: expect.any(String) } });
		const env = gateway.containers[0].env;
		expect(env).toContainEqual({ name: 'EARSHOT_QUEUE', valueFrom: from('queue-url') });
		expect(env).toContainEqual({ name: 'EARSHOT_API_KEYS', valueFrom: from('keys') });
		// Workers need no API keys.
		expect(envOf(worker).has('EARSHOT_API_KEYS')).toBe(false);
	});

	test('keeps recordings in a claim that all pods write, or in S3', () => {
		const { all } = rendered(...needed);
		expect(named(all, 'PersistentVolumeClaim').spec.accessModes).toEqual(['ReadWriteMany']);
		expect(podsOf(all).map((pod) => envOf(pod).get('EARSHOT_BLOBS'))).toEqual(['/blobs', '/blobs']);
		const s3 = rendered(...needed, 'blobs.url=s3://recordings/x', 'blobs.existingSecret=s3').all;
		expect(named(s3, 'PersistentVolumeClaim')).toBeUndefined();
		for (const pod of podsOf(s3)) {
			expect(envOf(pod).get('EARSHOT_BLOBS')).toBe('s3://recordings/x');
			expect(envOf(pod).has('AWS_SECRET_ACCESS_KEY')).toBe(true);
			expect(pod.volumes.map(({ name }: { name: string }) => name)).toEqual(['temporary', 'models']);
		}
	});

	test('answers probes and clients by the names that they use', () => {
		const [gateway, worker] = podsOf(rendered(...needed, 'allowedHosts={speech.example}').all);
		const hosts = envOf(gateway).get('EARSHOT_ALLOWED_HOSTS')?.split(',');
		expect(hosts).toEqual(expect.arrayContaining(['$(POD_IP)', 'rel-earshot.speech.svc', 'speech.example']));
		for (const probe of ['readinessProbe', 'livenessProbe', 'startupProbe'])
			expect(gateway.containers[0][probe].httpGet.httpHeaders).toEqual([
				{ name: 'Host', value: 'localhost' },
			]);
		expect(envOf(worker).get('EARSHOT_ADVERTISE')).toBe('http://$(POD_IP):8080');
		expect(worker.containers[0].readinessProbe.httpGet.path).toBe('/ready');
	});

	test('scales workers by the audio that waits, divided by what one does in a minute', () => {
		const off = rendered(...needed).all;
		expect(named(off, 'ScaledObject')).toBeUndefined();
		expect(named(off, 'Deployment', 'worker').spec.replicas).toBe(2);
		const { all } = rendered(...needed, 'autoscaling.enabled=true', 'autoscaling.speed=25');
		// What KEDA sets is not set by every upgrade.
		expect(named(all, 'Deployment', 'worker').spec).not.toHaveProperty('replicas');
		const { scaleTargetRef, triggers, minReplicaCount } = named(all, 'ScaledObject').spec;
		expect([scaleTargetRef.name, minReplicaCount]).toEqual(['rel-earshot-worker', 1]);
		expect(triggers).toMatchObject([
			{ type: 'prometheus', metricType: 'AverageValue', metadata: { threshold: '1500' } },
		]);
		const { query } = triggers[0].metadata as { query: string };
		expect(query).toContain(
			'earshot_queue_seconds{namespace="speech",pod=~"rel-earshot-gateway-.*",class!="request"}',
		);
		expect(query.match(/\(/g)?.length).toBe(query.match(/\)/g)?.length);
	});

	test('lets only servers and Prometheus reach a worker, if enabled', () => {
		const { all } = rendered(...needed, 'networkPolicy.enabled=true');
		const { ingress, podSelector } = named(all, 'NetworkPolicy', 'worker').spec;
		expect(podSelector.matchLabels['app.kubernetes.io/component']).toBe('worker');
		expect(ingress[0].from).toHaveLength(2);
	});

	test.each([
		[['queue.existingSecret=q'], 'image.repository'],
		[['image.repository=r'], 'queue.existingSecret'],
		[[...needed, 'blobs.url=s3://x'], 'blobs.existingSecret'],
		[[...needed, 'autoscaling.enabled=true', 'autoscaling.minReplicas=0'], 'minReplicas'],
		[[...needed, 'settings.PORT=1'], 'PORT'],
		[[...needed, 'worker.terminationGracePeriodSeconds=5'], 'terminationGracePeriodSeconds'],
	])('%j is refused, naming %s', (given, name) => {
		const { status, said } = rendered(...given);
		expect([status, said]).toEqual([1, expect.stringContaining(name)]);
	});
});
