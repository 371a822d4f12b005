/** Builds zip archives byte by byte, to create ones that no archiver would write. */

import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipEntry {
	readonly name: string;
	readonly body: Buffer;
	/** The checksum and size to declare; the real ones by default. */
	readonly crc?: number;
	readonly size?: number;
	readonly isEncrypted?: boolean;
}

export function zip(entries: readonly ZipEntry[]): Buffer {
	const [locals, centrals]: [Buffer[], Buffer[]] = [[], []];
	let offset = 0;
	for (const { name, body, crc = crc32(body), size = body.length, isEncrypted = false } of entries) {
		const packed = deflateRawSync(body);
		const common = Buffer.alloc(26);
		common.writeUInt16LE(20, 0);
		common.writeUInt16LE(isEncrypted ? 1 : 0, 2);
		common.writeUInt16LE(8, 4);
		common.writeUInt32LE(crc, 10);
		common.writeUInt32LE(packed.length, 14);
		common.writeUInt32LE(size, 18);
		common.writeUInt16LE(Buffer.byteLength(name), 22);
		const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, Buffer.from(name), packed]);
		const rest = Buffer.alloc(14);
		rest.writeUInt32LE(offset, 10);
		centrals.push(
			Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.of(20, 0), common, rest, Buffer.from(name)]),
		);
		locals.push(local);
		offset += local.length;
	}
	const central = Buffer.concat(centrals);
	const end = Buffer.alloc(22);
	end.write('PK\x05\x06');
	end.writeUInt16LE(entries.length, 8);
	end.writeUInt16LE(entries.length, 10);
	end.writeUInt32LE(central.length, 12);
	end.writeUInt32LE(offset, 16);
	return Buffer.concat([...locals, central, end]);
}
