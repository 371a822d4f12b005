#!/usr/bin/env node
// Stands in for node-gyp under prebuildify, which only ever runs
// `<gyp> rebuild --target=… --devdir=… --arch=… --release` and then takes build/Release/*.node.
//
//   PREBUILD_NODE_GYP=$PWD/scripts/prebuildify-cmake.cjs npx prebuildify --napi --strip --tag-libc
const { spawnSync } = require('node:child_process');

const arch = process.argv.find((argument) => argument.startsWith('--arch='))?.slice('--arch='.length);
const result = spawnSync(
	process.execPath,
	[
		require.resolve('cmake-js/bin/cmake-js'),
		'rebuild',
		// A prebuilt binary runs on other machines than the one that built it.
		'--CDEARSHOT_NATIVE=OFF',
		...(arch ? ['--arch', arch] : []),
		...(process.argv.includes('--debug') ? ['--debug'] : []),
	],
	{ stdio: 'inherit' },
);
process.exit(result.status ?? 1);
