#!/bin/sh
# Installs the tarballs of packed/ into an empty folder, as a user does, and transcribes: for clean containers and machines.
#
#   sh scripts/release/smoke.sh [--no-sherpa]      for platforms without sherpa-onnx, whose absence must be reported
set -eu
checkout=$(cd "$(dirname "$0")/../.." && pwd)
tarball=$(find "$checkout/packed" -name 'earshot-[0-9]*.tgz' | head -n 1)
# The binaries of most platforms are in a package of their own, which is not on the registry yet.
platform=$(node -p '
const { glibcVersionRuntime } = process.report.getReport().header;
const musl = process.platform === "linux" && !glibcVersionRuntime;
`${process.platform}-${process.arch}${musl ? "-musl" : ""}`')
binaries=$(find "$checkout/packed" -name "earshot-$platform-[0-9]*.tgz" | head -n 1)
folder=$(mktemp -d)
cd "$folder"
npm install --no-audit --no-fund "$tarball" ${binaries:+"$binaries"}
earshot="node node_modules/earshot/dist/cli/main.js"
if [ "${1:-}" = --no-sherpa ]; then
	$earshot doctor | tee doctor.txt || true
	grep -q '^ok *addon *prebuilt' doctor.txt
	grep -q '^MISSING *sherpa-onnx' doctor.txt
	exit 0
fi
$earshot doctor
text=$($earshot transcribe "$checkout/fixtures/demo-digits/digits-telephone.wav")
echo "$text"
[ "$text" = "zero two zero seven nine four six zero nine five eight" ]
$earshot serve --port 8765 &
server=$!
node -e '
const [wav] = process.argv.slice(1);
const { readFileSync } = require("node:fs");
(async () => {
	for (let tries = 0; ; tries++) {
		const answer = await fetch("http://127.0.0.1:8765/health").catch(() => undefined);
		if (answer?.ok) break;
		if (tries > 100) throw new Error("the server does not answer");
		await new Promise((resolve) => setTimeout(resolve, 200));
	}
	const form = new FormData();
	form.set("file", new Blob([readFileSync(wav)]), "digits.wav");
	form.set("model", "whisper-1");
	const answer = await fetch("http://127.0.0.1:8765/v1/audio/transcriptions", { method: "POST", body: form });
	console.log(answer.status, await answer.text());
	if (!answer.ok) process.exit(1);
})();' "$checkout/fixtures/demo-digits/digits-telephone.wav"
kill -TERM "$server"
wait "$server" || [ "$(uname -s)" != Linux ]
