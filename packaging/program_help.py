"""What `glyph --help` and `glyph COMMAND --help` say, as values."""
import re
import subprocess
from dataclasses import dataclass, field

# Values a flag takes when it takes a few words; each must stand in the flag's help.
WORDS = {"--device": ["auto", "cpu", "cuda"], "--profile": ["single", "batch", "api"],
         "--precision": ["auto", "fp32", "bf16", "fp16", "fp8", "int8", "int4"],
         "--kv-precision": ["auto", "fp8"],
         "--log-level": ["debug", "info", "warning", "error", "off"]}


@dataclass
class Flag:
    names: list       # ["-m", "--model"]
    value: str        # "DIR", "" for a switch
    help: str
    group: str = ""   # "Limits"
    words: list = field(default_factory=list)


@dataclass
class Command:
    name: str         # "" for the program itself
    summary: str
    usage: str
    flags: list = field(default_factory=list)
    positionals: list = field(default_factory=list)  # (name, help, words)
    commands: list = field(default_factory=list)     # names


def run(glyph, *arguments):
    return subprocess.run([glyph, *arguments, "--help"], check=True, capture_output=True, text=True).stdout


def entries(lines):
    """(head, help) of indented two-column lines; a long head has its help on the next line."""
    found = []
    for line in lines:
        text = line.strip()
        if line.startswith(" " * 20):
            found[-1][1] += (" " if found[-1][1] else "") + text
        elif text:
            head, _, help_text = re.sub(r"\s{2,}", "\0", text, count=1).partition("\0")
            found.append([head, help_text])
    return found


def flag_of(head, help_text, group):
    names, _, value = head.partition(" ")
    flag = Flag(names.split(","), re.sub(r":.*| REQUIRED", "", value), help_text, group)
    flag.words = WORDS.get(flag.names[-1], [])
    missing = [word for word in flag.words if not re.search(rf"\b{word}\b", help_text)]
    if missing:
        raise SystemExit(f"{flag.names[-1]}: the help does not know {', '.join(missing)}")
    return flag


def parse(name, text):
    lines = text.splitlines()
    command = Command(name, lines[0], lines[1].removeprefix("Usage: "))
    section, group, block = "", "", []

    def close():
        for head, help_text in entries(block):
            if section == "Options":
                command.flags.append(flag_of(head, help_text, group))
            elif section == "Positionals":
                words = re.search(r"\{(.*)\}", head)
                command.positionals.append((head.split()[0], help_text, words[1].split(",") if words else []))
            elif section == "Subcommands":
                command.commands.append(head)
        block.clear()
    for line in lines[2:]:
        if found := re.fullmatch(r"\[Option Group: (.*)\]", line):
            close()
            group = found[1]
        elif found := re.fullmatch(r"\s*(Options|Positionals|Subcommands):", line):
            close()
            section = found[1]
        else:
            block.append(line)
    close()
    return command


def read_program(glyph):
    """[the program itself, its commands in order]"""
    root = parse("", run(glyph))
    return [root, *(parse(name, run(glyph, name)) for name in root.commands)]
