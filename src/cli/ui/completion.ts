/** Scripts that complete the command's words in bash, zsh and fish, made from the same table as `--help`. Pure. */

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** The possible completions of a word: a list, installed models, models of the catalog, files, folders, or none. */
export type Words =
	| { readonly kind: 'list'; readonly values: readonly string[] }
	| { readonly kind: 'models' | 'catalog' | 'files' | 'folders' | 'any' };

export interface CompletedOption {
	/** `--format` */
	readonly long: string;
	/** `-f` */
	readonly short: string | undefined;
	readonly help: string;
	/** undefined = a switch. */
	readonly value: Words | undefined;
}

export interface CompletedCommand {
	readonly name: string;
	readonly help: string;
	readonly options: readonly CompletedOption[];
	readonly words: Words;
}

export function completionScript(shell: Shell, commands: readonly CompletedCommand[]): string {
	return { bash, zsh, fish }[shell](commands);
}

const installed = 'earshot list --quiet 2>/dev/null';
const pullable = 'earshot search --quiet 2>/dev/null';

const flagsOf = ({ short, long }: CompletedOption): string[] => [
	...(short === undefined ? [] : [short]),
	long,
];

function bash(commands: readonly CompletedCommand[]): string {
	const cases = commands.map(({ name, options, words }) => {
		const valued = options.flatMap((option) =>
			option.value === undefined ? [] : [`\t\t\t${flagsOf(option).join('|')}) ${bashReply(option.value)} ;;`],
		);
		const flags = [...options.flatMap(flagsOf), '--help'].join(' ');
		return [
			`\t${name})`,
			'\t\tcase "$prev" in',
			...valued,
			`\t\t\t*) if [[ "$cur" == -* ]]; then ${bashWords(flags)}; else ${bashReply(words)}; fi ;;`,
			'\t\tesac ;;',
		].join('\n');
	});
	return `# bash completion for earshot
_earshot() {
	local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" command='' i
	local IFS=$'\\n'
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		if [[ "\${COMP_WORDS[i]}" != -* ]]; then command="\${COMP_WORDS[i]}"; break; fi
	done
	case "$command" in
	'') ${bashWords([...commands.map(({ name }) => name), '--help', '--version'].join(' '))} ;;
${cases.join('\n')}
	esac
}
complete -o filenames -o bashdefault -F _earshot earshot
`;
}

function bashWords(words: string): string {
	return `COMPREPLY=($(compgen -W $'${words.replaceAll(' ', '\\n')}' -- "$cur"))`;
}

function bashReply(words: Words): string {
	switch (words.kind) {
		case 'list':
			return bashWords(words.values.join(' '));
		case 'models':
			return `COMPREPLY=($(compgen -W "$(${installed})" -- "$cur"))`;
		case 'catalog':
			return `COMPREPLY=($(compgen -W "$(${pullable})" -- "$cur"))`;
		case 'files':
			return 'COMPREPLY=($(compgen -f -- "$cur"))';
		case 'folders':
			return 'COMPREPLY=($(compgen -d -- "$cur"))';
		case 'any':
			return ':';
	}
}

function zsh(commands: readonly CompletedCommand[]): string {
	const described = commands.map(({ name, help }) => `\t\t${zshQuoted(`${name}:${help}`)}`);
	const cases = commands.map(({ name, options, words }) => {
		const specs = options.flatMap((option) =>
			flagsOf(option).map((flag) => {
				const text = option.help.replace(/[[\]\\]/g, '\\$&').replaceAll(':', '\\:');
				const value = option.value === undefined ? '' : `: :${zshAction(option.value)}`;
				return `\t\t\t\t${zshQuoted(`${flag}[${text}]${value}`)} \\`;
			}),
		);
		return [
			`\t\t\t${name}) _arguments -s \\`,
			...specs,
			`\t\t\t\t${zshQuoted(`*: :${zshAction(words)}`)} ;;`,
		].join('\n');
	});
	return `#compdef earshot
_earshot() {
	local -a commands
	local line state
	commands=(
${described.join('\n')}
	)
	_arguments -C '--help[show help]' '--version[show the version]' '1: :->command' '*:: :->word'
	case $state in
		command) _describe command commands ;;
		word)
			case $words[1] in
${cases.join('\n')}
			esac ;;
	esac
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _earshot "$@"; else compdef _earshot earshot; fi
`;
}

function zshAction(words: Words): string {
	switch (words.kind) {
		case 'list':
			return `(${words.values.join(' ')})`;
		case 'models':
			return `($(${installed}))`;
		case 'catalog':
			return `($(${pullable}))`;
		case 'files':
			return '_files';
		case 'folders':
			return '_files -/';
		case 'any':
			return ' ';
	}
}

function zshQuoted(text: string): string {
	return `'${text.replaceAll("'", "'\\''")}'`;
}

function fish(commands: readonly CompletedCommand[]): string {
	const lines = commands.flatMap(({ name, help, options, words }) => {
		const here = `-n '__fish_seen_subcommand_from ${name}'`;
		return [
			`complete -c earshot -f -n __fish_use_subcommand -a ${name} -d ${fishQuoted(help)}`,
			`complete -c earshot ${here} ${fishWords(words)}`,
			...options.map(({ long, short, help: text, value }) =>
				[
					`complete -c earshot ${here}`,
					`-l ${long.slice(2)}`,
					...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
					...(value === undefined ? [] : [`-r ${fishWords(value)}`]),
					`-d ${fishQuoted(text)}`,
				].join(' '),
			),
		];
	});
	return `# fish completion for earshot\n${lines.join('\n')}\n`;
}

function fishWords(words: Words): string {
	switch (words.kind) {
		case 'list':
			return `-f -a ${fishQuoted(words.values.join(' '))}`;
		case 'models':
			return `-f -a '(${installed})'`;
		case 'catalog':
			return `-f -a '(${pullable})'`;
		case 'files':
			return '-F';
		case 'folders':
			return "-f -a '(__fish_complete_directories)'";
		case 'any':
			return '-f';
	}
}

function fishQuoted(text: string): string {
	return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
