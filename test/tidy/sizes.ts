/** Nothing too long to be read at once: lines, functions, parameter lists, files. */
import { isTest, type Source } from "./source.ts";

const LINE_CHARS_MAX = 100;
const FUNCTION_LINES_MAX = 50;
const PARAMETERS_MAX = 4;
const FILE_LINES_MAX = 300;

/** A function with a body of statements. `lines` counts from its opening to its closing brace. */
type Body = Readonly<{ name: string; line: number; lines: number; parameters: number }>;

/** An open bracket. `head` is the statement so far, inner brackets folded to `()`, `[]`, `{}`. */
type Frame = {
  readonly open: string;
  readonly line: number;
  readonly body: boolean;
  readonly block: boolean;
  readonly name: string;
  readonly parameters: number;
  head: string;
  /** Commas of this bracket itself, and whether something follows the last one. */
  commas: number;
  angles: number;
  filled: boolean;
};

const CONTROL = /\b(?:if|for|for await|while|switch|catch|with)\s*\(\)\s*$/;
const WORD_BLOCK = /^\s*$|\b(?:try|else|finally|do|static)\s*$|\b(?:class|interface)\b/;
const CASE_BLOCK = /^\s*(?:case\b.*|default\s*):\s*$/;
const CALLABLE = /([\w#$]+)\s*(?:<.*>)?\(\)(?:\s*:.*)?\s*$/;

/** What is too long, and where. Tests may be long files; in a table of cases a case is a line. */
export function sizeFindings(source: Source): string[] {
  const { path, text, code, excused } = source;
  const findings: string[] = [];
  const lines = text.split("\n");
  const tabular = path.endsWith(".cases.ts") || excused.has("line");
  lines.forEach((line, i) => {
    if (line.length <= LINE_CHARS_MAX || tabular) return;
    findings.push(`${path}:${i + 1}: ${line.length} characters, at most ${LINE_CHARS_MAX}`);
  });
  const fileLines = lines.length - 1;
  if (fileLines > FILE_LINES_MAX && !isTest(path) && !excused.has("file")) {
    findings.push(`${path}: ${fileLines} lines, at most ${FILE_LINES_MAX}`);
  }
  for (const body of bodiesIn(code)) {
    const where = `${path}:${body.line}: ${body.name}`;
    if (body.lines > FUNCTION_LINES_MAX && !excused.has("function")) {
      findings.push(`${where}: ${body.lines} lines, at most ${FUNCTION_LINES_MAX}`);
    }
    if (body.parameters > PARAMETERS_MAX && !excused.has("parameters")) {
      findings.push(`${where}: ${body.parameters} parameters, at most ${PARAMETERS_MAX}`);
    }
  }
  return findings;
}

/** The functions of scrubbed code, innermost first. */
export function bodiesIn(code: string): Body[] {
  const bodies: Body[] = [];
  const stack: Frame[] = [newFrame("{", 1, "", 0)];
  let line = 1;
  let parameters = 0;
  for (let i = 0; i < code.length; i++) {
    const char = code[i]!;
    const top = stack.at(-1)!;
    if (char === "\n") line++;
    if (char === "(" || char === "[" || char === "{") {
      stack.push(newFrame(char, line, top.head, parameters));
      if (char !== "(") continue;
    } else if (char === ")" || char === "]" || char === "}") {
      if (stack.length > 1) stack.pop();
      if (char === ")") parameters = top.commas + (top.filled ? 1 : 0);
      if (top.body) {
        const { name, line: start } = top;
        bodies.push({ name, line: start, lines: line - start + 1, parameters: top.parameters });
      }
      fold(stack.at(-1)!, top, char);
    } else {
      note(top, char, code[i - 1] ?? "");
    }
  }
  return bodies;
}

function newFrame(open: string, line: number, head: string, parameters: number): Frame {
  const trimmed = head.trimEnd();
  const arrow = open === "{" && trimmed.endsWith("=>");
  const named = CALLABLE.exec(trimmed)?.[1];
  const control = CONTROL.test(trimmed);
  const body = arrow || (open === "{" && named !== undefined && !control);
  const block = open === "{" && (body || control || isBlock(trimmed));
  const name = arrow ? (/(\w+)\s*(?::[^=]*)?=/.exec(trimmed)?.[1] ?? "=>") : (named ?? "");
  const fresh = { head: "", commas: 0, angles: 0, filled: false };
  return { open, line, body, block, name, parameters, ...fresh };
}

function isBlock(head: string): boolean {
  return WORD_BLOCK.test(head) || CASE_BLOCK.test(head);
}

/** A closed block ends the statement; any other bracket is a part of it. */
function fold(into: Frame, closed: Frame, char: string): void {
  into.filled = true;
  if (closed.block && into.open === "{") into.head = "";
  else into.head += closed.open + char;
}

function note(frame: Frame, char: string, before: string): void {
  if (char === "<" && /\w/.test(before)) frame.angles++;
  if (char === ">" && before !== "=" && frame.angles > 0) frame.angles--;
  if (char === "," && frame.angles === 0) {
    frame.commas++;
    frame.filled = false;
  } else if (char.trim() !== "") {
    frame.filled = true;
  }
  frame.head = char === ";" ? "" : frame.head + char;
}
