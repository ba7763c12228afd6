"""The sections of glyph.1 that list commands and options, in the macros of man(7)."""


def quoted(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def option(flag):
    names = ", ".join(f"\\fB{quoted(name)}\\fR" for name in flag.names)
    return [".TP", names + (f" \\fI{quoted(flag.value)}\\fR" if flag.value else ""), quoted(flag.help)]


def options(program):
    root = program[0]
    lines = [".SH COMMON OPTIONS"]
    for flag in root.flags:
        lines += option(flag)
    lines.append(".SH COMMANDS")
    limits = {}
    for command in program[1:]:
        usage = command.usage.removeprefix("glyph ")
        lines += [f".SS {quoted(usage)}", quoted(command.summary)]
        for name, text, _ in command.positionals:
            lines += [".TP", f"\\fI{quoted(name)}\\fR", quoted(text)]
        for flag in command.flags:
            if flag.group:
                limits.setdefault(flag.names[-1], (flag, []))[1].append(command.name)
            elif "--help" not in flag.names:
                lines += option(flag)
    lines += [".SH LIMITS", "What a file or a request may cost. A refusal names the limit and the value seen."]
    for flag, commands in limits.values():
        text = option(flag)
        lines += text[:-1] + [text[-1] + f" ({', '.join(commands)})"]
    return lines
