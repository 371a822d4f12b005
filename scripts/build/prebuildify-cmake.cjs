#!/usr/bin/env node
// Stands in for node-gyp under prebuildify, which only ever runs
// `<gyp> rebuild --target=… --devdir=… --arch=… --release` and then takes build/Release/*.node of its working
// folder. That folder is one below build/, so that a checkout's own build stays as it is. Run by prebuild.mjs,
// which says in EARSHOT_CMAKE what to build.
const { spawnSync } = require('node:child_process');
const { join } = require('node:path');

const cmake = [
	require.resolve('cmake-js/bin/cmake-js'),
	'build',
	`--directory=${join(__dirname, '..', '..')}`,
	`--out=${join(process.cwd(), 'build')}`,
	...JSON.parse(process.env.EARSHOT_CMAKE ?? '[]'),
];
process.exit(spawnSync(process.execPath, cmake, { stdio: 'inherit' }).status ?? 1);
