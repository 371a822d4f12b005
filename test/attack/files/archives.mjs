// Archives that write elsewhere, bring permissions, never end or are more than they say: through the code that pulls use.
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { unpack } from '../../../dist/models/archive/archive.js';

/** One entry of a tar: `type` 0 a file, 5 a folder, 1 and 2 links, 3 a device. */
function entry({ name, type = '0', body = '', link = '', mode = 0o644 }) {
	const content = Buffer.from(body);
	const head = Buffer.alloc(512);
	head.write(name, 0);
	head.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
	head.write('0000000\0'.repeat(2), 108);
	head.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
	head.write('00000000000\0        ', 136);
	head.write(type, 156);
	head.write(link, 157);
	head.write('ustar\x0000', 257);
	const sum = head.reduce((total, byte) => total + byte, 0);
	head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
	return Buffer.concat([head, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

const tar = (...entries) => Buffer.concat([...entries.map(entry), Buffer.alloc(1024)]);

const refused = [
	['that climbs out', tar({ name: '../evil', body: 'x' })],
	['that climbs out on its way', tar({ name: 'model/../../evil', body: 'x' })],
	['with an absolute path', tar({ name: '/tmp/earshot-evil', body: 'x' })],
	['of 10,001 files', tar(...Array.from({ length: 10_001 }, (_, n) => ({ name: `f${n}` })))],
	['that is a bomb', tar({ name: 'zeros', body: Buffer.alloc(200 * 2 ** 20) })],
	['that is cut off', tar({ name: 'model', body: Buffer.alloc(5000, 7) }).subarray(0, 3000)],
	['that is a text', Buffer.from('no archive at all')],
];

export async function attack({ check }) {
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-attack-'));
	const archive = path.join(folder, 'archive');
	const into = path.join(folder, 'into');
	const tried = async (bytes) => {
		writeFileSync(archive, gzipSync(bytes, { level: 1 }));
		rmSync(into, { recursive: true, force: true });
		return await unpack(archive, into, new AbortController().signal).then(
			() => 'unpacked',
			(thrown) => thrown.code,
		);
	};
	try {
		for (const [what, bytes] of refused) {
			const outcome = await tried(bytes);
			const left = readdirSync(folder).filter((name) => name !== 'archive');
			const held = outcome === 'download_corrupt' && left.length === 0 && !existsSync('/tmp/earshot-evil');
			check(`an archive ${what} is refused and leaves nothing`, held, { outcome, left });
		}
		const outcome = await tried(
			tar(
				{ name: 'model/', type: '5', mode: 0o7777 },
				{ name: 'model/su', body: 'x', mode: 0o6755 },
				{ name: 'model/link', type: '2', link: '/etc/passwd' },
				{ name: 'model/hard', type: '1', link: '/etc/passwd' },
				{ name: 'model/device', type: '3' },
			),
		);
		const names = outcome === 'unpacked' ? readdirSync(path.join(into, 'model')) : [];
		check('links and devices are not unpacked', names.join() === 'su', { outcome, names });
		const bits =
			outcome === 'unpacked' ? (statSync(path.join(into, 'model', 'su')).mode & 0o7111).toString(8) : '';
		check('no bit of an archive lets a file be run', bits === '0', bits);
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
}
