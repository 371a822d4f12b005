# Prints what zsh offers at the end of a line, a word in each: zsh -f offered.zsh SCRIPT 'earshot tr'
# An interactive zsh in a terminal of its own loads the script and gets the line and a tab; a `compadd` in front of the real one
# prints what that would add.
zmodload zsh/zpty || exit 3
setup=$(mktemp)
trap 'rm -f $setup' EXIT
cat >$setup <<'SETUP'
PROMPT=''
autoload -U compinit && compinit -u -D
bindkey '^I' complete-word
zstyle ':completion:*' insert-tab false
mark() { print -r -- "<mark>" }
compprefuncs=(mark)
comppostfuncs=(mark exit)
compadd() {
	local -a given; given=("${@[1,(i)(-|--)]}")
	# Asked for an array and not for an offer.
	[[ "$given" == *-(O|A|D)* ]] && { builtin compadd "$@"; return }
	local -a hits
	builtin compadd -A hits "$@"
	print -rl -- $hits
}
SETUP
zpty shell zsh -f -i
zpty -w shell "source $setup; source $1; print -r '<rea''dy>'"
while zpty -r shell line; do [[ $line == *'<ready>'* ]] && break; done
zpty -w -n shell "$2"$'\t'
marks=0
while zpty -r shell line; do
	line=${line//$'\r'/}; line=${line%$'\n'}
	if [[ $line == *'<mark>'* ]]; then (( ++marks == 2 )) && break; continue; fi
	(( marks == 1 )) && [[ -n $line ]] && print -r -- $line
done
zpty -d shell
exit 0
