"""Completions for bash, zsh and fish from what the program's help says."""

NOTE = "# Written by packaging/generate.py from `glyph --help`."


def file_kind(flag_value):
    return "files" if flag_value.startswith(("FILE", "OUT")) else "folders" if flag_value == "DIR" else ""


def takes_files(command):
    return any(name.startswith(("FILE", "IN")) for name, _, _ in command.positionals)


def bash(program):
    root, commands = program[0], program[1:]
    cases, values = [], {}
    for command in commands:
        names = " ".join(name for flag in command.flags + root.flags[1:] for name in flag.names)
        words = " ".join(word for _, _, found in command.positionals for word in found)
        cases.append(f"    {command.name}) flags='{names}' words='{words}' ;;")
        for flag in command.flags + root.flags:
            for name in flag.names:
                if flag.value and (name not in values or file_kind(flag.value) == "files"):  # -o is a file here and a folder there
                    values[name] = flag
    answers = []
    for kind in ("files", "folders", ""):
        names = sorted(name for name, flag in values.items() if not flag.words and file_kind(flag.value) == kind)
        action = {"files": "compopt -o default; return", "folders": "compopt -o dirnames; return", "": "return"}[kind]
        answers.append(f"    {' | '.join(names)}) {action} ;;")
    for name, flag in sorted(values.items()):
        if flag.words:
            answers.append(f"    {name}) COMPREPLY=($(compgen -W '{' '.join(flag.words)}' -- \"$current\")); return ;;")
    own = " ".join(name for flag in root.flags for name in flag.names)
    return "\n".join([
        NOTE, "_glyph() {", "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command='' flags='' words='' word",
        "  COMPREPLY=()", "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do", f"    case $word in {' | '.join(root.commands)}) command=$word; break ;; esac",
        "  done", "  case $previous in", *answers, "  esac", "  case $command in", *cases,
        f"    *) flags='{own}' words='{' '.join(root.commands)}' ;;", "  esac",
        "  if [[ $current == -* ]]; then words=$flags; fi",
        "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))",
        f"  case $command in {' | '.join(c.name for c in commands if takes_files(c))}) if [[ $current != -* ]]; then compopt -o default; fi ;; esac",
        "}", "complete -F _glyph glyph", ""])


def zsh_flag(flag):
    text = flag.help.replace("'", "").replace("[", "(").replace("]", ")").replace(":", "\\:")
    group = f"({' '.join(flag.names)})" if len(flag.names) > 1 else ""
    names = "{" + ",".join(flag.names) + "}" if len(flag.names) > 1 else flag.names[0]
    action = ""
    if flag.value:
        kind = f"({' '.join(flag.words)})" if flag.words else {"files": "_files", "folders": "_files -/"}.get(file_kind(flag.value), " ")
        action = f":{flag.value}:{kind}"
    return f"'{group}'{names}'[{text}]{action}'"


def zsh(program):
    root, commands = program[0], program[1:]
    lines = ["#compdef glyph", NOTE, "", "_glyph() {", "  local context state state_descr line", "  typeset -A opt_args", "  local -a common", "  common=("]
    lines += [f"    {zsh_flag(flag)}" for flag in root.flags]
    lines += ["  )", "  _arguments -C \"${common[@]}\" '1:command:->command' '*::argument:->argument'", "  case $state in", "  command)", "    local -a commands",
              "    commands=("]
    lines += [f"      '{c.name}:{c.summary.replace(chr(39), '')}'" for c in commands]
    lines += ["    )", "    _describe command commands ;;", "  argument)", "    case $words[1] in"]
    for c in commands:
        flags = " ".join(zsh_flag(flag) for flag in c.flags if "--help" not in flag.names)
        words = [word for _, _, found in c.positionals for word in found]
        rest = f"'1:what:({' '.join(words)})'" if words else "'*:file:_files'" if takes_files(c) else ""
        lines.append(f"    {c.name}) _arguments \"${{common[@]}}\" {flags} {rest} ;;".replace("  ;;", " ;;"))
    return "\n".join(lines + ["    esac ;;", "  esac", "}", "", "_glyph \"$@\"", ""])


def fish_flag(flag, condition):
    parts = [f"complete -c glyph -n '{condition}'"]
    for name in flag.names:
        parts.append(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}")
    if flag.words:
        parts.append(f"-x -a '{' '.join(flag.words)}'")
    elif flag.value:
        parts.append({"files": "-r -F", "folders": "-x -a '(__fish_complete_directories)'"}.get(file_kind(flag.value), "-x"))
    text = flag.help.replace("\\", "").replace("'", "\\'")
    return " ".join(parts) + f" -d '{text}'"


def fish(program):
    root, commands = program[0], program[1:]
    names = " ".join(root.commands)
    lines = [NOTE, "complete -c glyph -f"]
    lines += [fish_flag(flag, "true") for flag in root.flags]
    for c in commands:
        summary = c.summary.replace("'", "\\'")
        lines.append(f"complete -c glyph -n 'not __fish_seen_subcommand_from {names}' -a {c.name} -d '{summary}'")
    for c in commands:
        seen = f"__fish_seen_subcommand_from {c.name}"
        lines += [fish_flag(flag, seen) for flag in c.flags if "--help" not in flag.names]
        lines += [f"complete -c glyph -n '{seen}' -a '{' '.join(words)}'" for _, _, words in c.positionals if words]
        if takes_files(c):
            lines.append(f"complete -c glyph -n '{seen}' -F")
    return "\n".join(lines + [""])
