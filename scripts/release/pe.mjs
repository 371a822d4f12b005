// Reads the imports and exports of a Windows library from the file itself, since the tools for it differ by machine.
import { readFileSync } from 'node:fs';

const exportTable = 0;
const importTable = 1;
const delayedTable = 13;

/** `{ imports, delayed, exports }` of a 64-bit PE file: names of libraries and of exported symbols. Throws if the file
 * is not one. */
export function readPe(file) {
	const bytes = readFileSync(file);
	const header = bytes.readUInt32LE(0x3c);
	if (bytes.toString('latin1', 0, 2) !== 'MZ' || bytes.toString('latin1', header, header + 4) !== 'PE\0\0')
		throw new Error(`${file} is no Windows library`);
	const optional = header + 24;
	if (bytes.readUInt16LE(header + 4) !== 0x8664 || bytes.readUInt16LE(optional) !== 0x20b)
		throw new Error(`${file} is not for x64`);
	const sections = optional + bytes.readUInt16LE(header + 20);
	const count = bytes.readUInt16LE(header + 6);

	/** Place in the file of an address in memory. */
	const at = (address) => {
		for (let i = 0; i < count; i++) {
			const section = sections + 40 * i;
			const start = bytes.readUInt32LE(section + 12);
			const size = bytes.readUInt32LE(section + 16);
			if (address >= start && address < start + size)
				return bytes.readUInt32LE(section + 20) + address - start;
		}
		throw new Error(`${file}: nothing is at ${address}`);
	};
	const textAt = (address) => {
		const from = at(address);
		return bytes.toString('latin1', from, bytes.indexOf(0, from));
	};
	const table = (index) => bytes.readUInt32LE(optional + 112 + 8 * index);
	/** Names that a list of descriptors points to, which ends with one of zeros. */
	const names = (index, size, nameAt) => {
		const list = [];
		if (table(index) === 0) return list;
		for (let entry = at(table(index)); bytes.readUInt32LE(entry + nameAt) !== 0; entry += size)
			list.push(textAt(bytes.readUInt32LE(entry + nameAt)));
		return list;
	};
	const exported = () => {
		if (table(exportTable) === 0) return [];
		const directory = at(table(exportTable));
		const pointers = at(bytes.readUInt32LE(directory + 32));
		return Array.from({ length: bytes.readUInt32LE(directory + 24) }, (_, index) =>
			textAt(bytes.readUInt32LE(pointers + 4 * index)),
		);
	};
	return { imports: names(importTable, 20, 12), delayed: names(delayedTable, 32, 4), exports: exported() };
}
