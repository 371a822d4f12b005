import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readPe } from '../../scripts/release/pe.mjs';

/** A library of one section, that lies in the file at 0x200 and in memory at 0x1000. */
function library({ machine = 0x8664 } = {}): Buffer {
	const bytes = Buffer.alloc(0x600);
	const inFile = (address: number) => address - 0x1000 + 0x200;
	const put = (address: number, ...values: number[]) => {
		for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, inFile(address) + 4 * index);
	};
	const text = (address: number, words: string) => bytes.write(`${words}\0`, inFile(address), 'latin1');
	bytes.write('MZ', 0);
	bytes.writeUInt32LE(0x80, 0x3c);
	bytes.write('PE\0\0', 0x80, 'latin1');
	bytes.writeUInt16LE(machine, 0x84);
	bytes.writeUInt16LE(1, 0x86);
	bytes.writeUInt16LE(240, 0x94);
	const optional = 0x98;
	bytes.writeUInt16LE(0x20b, optional);
	const table = (index: number, address: number) => bytes.writeUInt32LE(address, optional + 112 + 8 * index);
	const section = optional + 240;
	bytes.writeUInt32LE(0x1000, section + 12);
	bytes.writeUInt32LE(0x400, section + 16);
	bytes.writeUInt32LE(0x200, section + 20);

	table(0, 0x1000);
	put(0x1000 + 24, 2, 0x1100, 0x1040);
	put(0x1040, 0x1120, 0x1130);
	text(0x1120, 'shown');
	text(0x1130, 'shown_too');
	table(1, 0x1150);
	put(0x1150 + 12, 0x11c0);
	put(0x1150 + 20 + 12, 0x11d0);
	text(0x11c0, 'KERNEL32.dll');
	text(0x11d0, 'MSVCP140.dll');
	table(13, 0x1200);
	put(0x1200 + 4, 0x1260);
	text(0x1260, 'node.exe');
	return bytes;
}

function written(bytes: Buffer): string {
	const folder = mkdtempSync(path.join(tmpdir(), 'earshot-pe-'));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	const file = path.join(folder, 'library.dll');
	writeFileSync(file, bytes);
	return file;
}

it('what a Windows library needs, at once and on first use, and what it shows is read from the file', () => {
	expect(readPe(written(library()))).toEqual({
		imports: ['KERNEL32.dll', 'MSVCP140.dll'],
		delayed: ['node.exe'],
		exports: ['shown', 'shown_too'],
	});
});

it.each([
	['that is none', Buffer.alloc(512), 'is no Windows library'],
	['for another processor', library({ machine: 0xaa64 }), 'is not for x64'],
])('a library %s is refused', (_, bytes, why) => {
	expect(() => readPe(written(bytes))).toThrow(why);
});
