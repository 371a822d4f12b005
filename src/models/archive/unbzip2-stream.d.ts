declare module 'unbzip2-stream' {
	/** A stream that is written to and read from. */
	function unbzip2Stream(): NodeJS.ReadWriteStream;
	export = unbzip2Stream;
}
