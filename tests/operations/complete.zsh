# complete.zsh FOLDER LINE...: what an interactive zsh offers after each LINE, with the completions of FOLDER; form feeds between them.
zmodload zsh/zpty
folder=$1
shift
for line in "$@"; do
  zpty shell zsh -f -i
  zpty -w shell "PS1=; stty -echo cols 200; fpath=($folder \$fpath); autoload -U compinit; compinit -D -u; zstyle ':completion:*' list-prompt ''; LISTMAX=1000"
  zpty -w shell "echo rea''dy"
  text=
  while [[ $text != *ready* ]]; do zpty -r shell text; done
  zpty -w -n shell "$line"$'\t\t'
  text=
  for wait in {1..20}; do
    sleep 0.1
    while zpty -r -t shell part; do text+=$part; done
  done
  print -rn -- "$text"$'\f'
  zpty -d shell
done
