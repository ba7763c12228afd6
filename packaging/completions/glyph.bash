# Written by packaging/generate.py from `glyph --help`.
_glyph() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' flags='' words='' word
  COMPREPLY=()
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in ask | batch | render | extract | tokenize | bench | compile | serve | doctor) command=$word; break ;; esac
  done
  case $previous in
    --api-keys | --config | --json-file | --key-file | --log-file | --output | --plan | --style | --svg | -o) compopt -o default; return ;;
    --model | --state | -m) compopt -o dirnames; return ;;
    --answer-tokens | --cache-disk-mib | --cache-features-mib | --cache-kv-mib | --cache-ram-mib | --clients | --documents | --dpi | --draft-tokens | --gpu | --grow | --host | --image-hosts | --kv-mib | --limit-file-mib | --limit-helper-mib | --limit-helper-seconds | --limit-image-megapixels | --limit-image-side | --limit-inflate-ratio | --limit-inflated-mib | --limit-pages | --limit-zip-entries | --max-tokens | --pages | --picture | --port | --questions | --random-weights | --repeats | --repetition-penalty | --replicas | --requests-at-once | --requests-per-minute | --rows | --seconds | --seed | --stop | --streams | --temperature | --tensor-parallel | --threads | --top-k | --top-p | --url) return ;;
    --device) COMPREPLY=($(compgen -W 'auto cpu cuda' -- "$current")); return ;;
    --kv-precision) COMPREPLY=($(compgen -W 'auto fp8' -- "$current")); return ;;
    --log-level) COMPREPLY=($(compgen -W 'debug info warning error off' -- "$current")); return ;;
    --precision) COMPREPLY=($(compgen -W 'auto fp32 bf16 fp16 fp8 int8 int4' -- "$current")); return ;;
    --profile) COMPREPLY=($(compgen -W 'single batch api' -- "$current")); return ;;
  esac
  case $command in
    ask) flags='-h --help --json -m --model --random-weights --device --precision --kv-precision --threads --plan --gpu --tensor-parallel --style --dpi --max-tokens --temperature --top-k --top-p --repetition-penalty --seed --stop --draft-tokens --limit-file-mib --limit-inflated-mib --limit-inflate-ratio --limit-zip-entries --limit-pages --limit-image-side --limit-image-megapixels --limit-helper-seconds --limit-helper-mib --version --config --log-level --log-json' words='' ;;
    batch) flags='-h --help -o --output -m --model --random-weights --device --precision --kv-precision --threads --plan --gpu --tensor-parallel --style --dpi --max-tokens --temperature --top-k --top-p --repetition-penalty --seed --stop --draft-tokens --limit-file-mib --limit-inflated-mib --limit-inflate-ratio --limit-zip-entries --limit-pages --limit-image-side --limit-image-megapixels --limit-helper-seconds --limit-helper-mib --version --config --log-level --log-json' words='' ;;
    render) flags='-h --help -o --output --style --dpi -m --model --limit-file-mib --limit-inflated-mib --limit-inflate-ratio --limit-zip-entries --limit-pages --limit-image-side --limit-image-megapixels --limit-helper-seconds --limit-helper-mib --version --config --log-level --log-json' words='' ;;
    extract) flags='-h --help --limit-file-mib --limit-inflated-mib --limit-inflate-ratio --limit-zip-entries --limit-pages --limit-image-side --limit-image-megapixels --limit-helper-seconds --limit-helper-mib --version --config --log-level --log-json' words='' ;;
    tokenize) flags='-h --help --decode --plain -m --model --version --config --log-level --log-json' words='' ;;
    bench) flags='-h --help --json --json-file --pages --repeats --answer-tokens --rows --uncompiled --picture --grow --streams --documents --seconds --svg --url --key-file --clients --questions -m --model --random-weights --device --precision --kv-precision --threads --plan --gpu --tensor-parallel --style --dpi --version --config --log-level --log-json' words='render ops e2e ladder load' ;;
    compile) flags='-h --help --pages -o --output -m --model --random-weights --device --precision --kv-precision --threads --plan --gpu --tensor-parallel --version --config --log-level --log-json' words='' ;;
    serve) flags='-h --help -m --model --random-weights --device --precision --kv-precision --threads --plan --gpu --tensor-parallel --replicas --host --port --profile --state --api-keys --allow-remote --requests-per-minute --requests-at-once --image-hosts --kv-mib --cache-kv-mib --cache-features-mib --cache-ram-mib --cache-disk-mib --log-file --draft-tokens --limit-file-mib --limit-inflated-mib --limit-inflate-ratio --limit-zip-entries --limit-pages --limit-image-side --limit-image-megapixels --limit-helper-seconds --limit-helper-mib --version --config --log-level --log-json' words='' ;;
    doctor) flags='-h --help --json -m --model --random-weights --device --precision --kv-precision --threads --plan --gpu --tensor-parallel --version --config --log-level --log-json' words='' ;;
    *) flags='-h --help --version --config --log-level --log-json' words='ask batch render extract tokenize bench compile serve doctor' ;;
  esac
  if [[ $current == -* ]]; then words=$flags; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  case $command in ask | batch | render | extract) if [[ $current != -* ]]; then compopt -o default; fi ;; esac
}
complete -F _glyph glyph
