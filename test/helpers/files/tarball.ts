/** Builds tar archives byte by byte, to create ones that no archiver would write. */

import { spawnSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';

export interface TarEntry {
	readonly name: string;
	/** `0` a file, `5` a folder, `1` and `2` links. */
	readonly type?: '0' | '1' | '2' | '5';
	readonly body?: Buffer;
	readonly link?: string;
	/** Permissions; 0644 where absent. */
	readonly mode?: number;
}

export function tar(entries: readonly TarEntry[]): Buffer {
	const blocks = entries.flatMap(({ name, type = '0', body = Buffer.alloc(0), link = '', mode = 0o644 }) => {
		const header = Buffer.alloc(512);
		header.write(name, 0);
		header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
		header.write('0000000\0', 108);
		header.write('0000000\0', 116);
		header.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124);
		header.write('00000000000\0', 136);
		header.write('        ', 148);
		header.write(type, 156);
		header.write(link, 157);
		header.write('ustar\x0000', 257);
		const sum = header.reduce((total, byte) => total + byte, 0);
		header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
		return [header, body, Buffer.alloc((512 - (body.length % 512)) % 512)];
	});
	return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

export function targz(entries: readonly TarEntry[]): Buffer {
	return gzipSync(tar(entries));
}

export const hasBzip2 = spawnSync('bzip2', ['--help']).status === 0;

export function tarbz2(entries: readonly TarEntry[]): Buffer {
	const { stdout, status } = spawnSync('bzip2', ['-c'], { input: tar(entries), maxBuffer: 2 ** 30 });
	if (status !== 0) throw new Error('these tests need bzip2');
	return stdout;
}
