/** Files that go with a prompt: what is taken, and how much of it. */

import { nextId } from "./store";
import type { Attached, Turn } from "./talk";

const MB = 1e6;
const PICTURES = ["image/png", "image/jpeg", "image/webp", "image/gif"];
const PICTURE_BYTES = 5 * MB;
const TEXT_BYTES = 0.5 * MB;
/** The gateway takes bodies of 10 MiB, and a picture grows by a third on its way. */
const TOGETHER_BYTES = 7 * MB;
const TEXTS =
  /\.(txt|md|csv|tsv|json|ya?ml|toml|xml|html?|css|[jt]sx?|py|rs|go|java|kt|c|h|cpp|cs|rb|php|sh|sql|log|ini|tex)$/i;

export const TAKEN = `${PICTURES.join(",")},text/*,.md,.csv,.json,.yaml,.yml,.toml,.py,.ts,.tsx,.js,.rs,.go,.sql,.log`;
export const LIMITS = "Pictures up to 5 MB, text files up to 0.5 MB, 7 MB in one conversation.";

/** What is taken of these files, and why the others are not. */
export function taken(
  files: readonly File[],
  before: readonly Attached[],
  turns: readonly Turn[],
): { attached: readonly Attached[]; refused: readonly string[] } {
  const said = turns.flatMap((turn) => turn.prompt.attached);
  let sum = [...said, ...before].reduce((all, one) => all + one.bytes, 0);
  const attached: Attached[] = [];
  const refused: string[] = [];
  for (const file of files) {
    const kind = kindOf(file);
    const most = kind === "picture" ? PICTURE_BYTES : TEXT_BYTES;
    if (kind === null)
      refused.push(`${file.name} is neither a picture nor a text. Copy its text into the box instead.`);
    else if (file.size > most) refused.push(`${file.name} has ${size(file.size)}. ${LIMITS}`);
    else if (sum + file.size > TOGETHER_BYTES)
      refused.push(`${file.name} is too much for this conversation. ${LIMITS}`);
    else {
      sum += file.size;
      const url = kind === "picture" ? URL.createObjectURL(file) : null;
      attached.push({ id: nextId(), name: file.name, bytes: file.size, kind, file, url });
    }
  }
  return { attached, refused };
}

export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < MB ? `${Math.round(bytes / 1000)} kB` : `${(bytes / MB).toFixed(1)} MB`;
}

function kindOf(file: File): Attached["kind"] | null {
  if (PICTURES.includes(file.type)) return "picture";
  return file.type.startsWith("text/") || file.type === "application/json" || TEXTS.test(file.name) ? "text" : null;
}
