/** What a file of requests holds, as far as can be seen here; the server reads it whole. */
export interface Found {
  lines: number;
  endpoint: string | null;
  models: ReadonlyMap<string, number>;
  fault: string | null;
}

const MOST_BYTES = 32 * 1024 * 1024;

interface Line {
  url?: unknown;
  body?: { model?: unknown };
}

export async function read(file: File): Promise<Found> {
  const models = new Map<string, number>();
  const broken = (fault: string): Found => ({ lines: 0, endpoint: null, models, fault });
  if (file.size > MOST_BYTES) return broken("It is over 32 MiB. Split it.");
  const texts = (await file.text()).split("\n").filter((text) => text.trim() !== "");
  if (texts.length === 0) return broken("There is nothing in it.");
  let endpoint: string | null = null;
  for (const [at, text] of texts.entries()) {
    const line = parsed(text);
    if (typeof line?.url !== "string") return broken(`Line ${at + 1} is no request with a url.`);
    if (endpoint !== null && line.url !== endpoint) return broken(`Line ${at + 1} has another url than the first.`);
    endpoint = line.url;
    const model = typeof line.body?.model === "string" ? line.body.model : "no model";
    models.set(model, (models.get(model) ?? 0) + 1);
  }
  return { lines: texts.length, endpoint, models, fault: null };
}

function parsed(text: string): Line | null {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === "object" && found !== null ? (found as Line) : null;
  } catch {
    return null;
  }
}
