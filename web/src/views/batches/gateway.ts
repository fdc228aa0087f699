import { proofHeaders } from "../../api/client";
import { Problem, problemOf } from "../../api/problem";

/** A batch as OpenAI's API has it; `ownkey` says what it cost so far, what is in doubt, and what it waits for. */
export interface Batch {
  readonly id: string;
  readonly endpoint: string;
  readonly status:
    | "validating"
    | "in_progress"
    | "finalizing"
    | "completed"
    | "failed"
    | "expired"
    | "cancelling"
    | "cancelled";
  readonly errors: { readonly data: readonly { readonly message: string; readonly line: number | null }[] } | null;
  readonly input_file_id: string;
  readonly output_file_id: string | null;
  readonly error_file_id: string | null;
  /** In seconds. */
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly request_counts: { readonly total: number; readonly completed: number; readonly failed: number };
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly ownkey: { readonly waits_for?: string | null; readonly cost_usd?: string; readonly in_doubt?: number };
}

export interface StoredFile {
  readonly id: string;
  readonly filename: string;
}

const JSON_TYPE = { "content-type": "application/json" };

/** The gateway's own paths, which are OpenAI's, asked as who has signed in. */
async function asked<Answer>(path: string, init: RequestInit = {}): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(`/v1/${path}`, { ...init, headers: { ...proofHeaders(), ...init.headers } });
  } catch {
    throw Problem.unreachable();
  }
  if (!response.ok) throw await problemOf(response);
  return response.json();
}

export async function listBatches(): Promise<readonly Batch[]> {
  return (await asked<{ data: readonly Batch[] }>("batches?limit=30")).data;
}

export async function listFiles(): Promise<ReadonlyMap<string, string>> {
  const { data } = await asked<{ data: readonly StoredFile[] }>("files?limit=1000");
  return new Map(data.map((one) => [one.id, one.filename]));
}

export function getBatch(id: string): Promise<Batch> {
  return asked(`batches/${encodeURIComponent(id)}`);
}

export function cancelBatch(id: string): Promise<Batch> {
  return asked(`batches/${encodeURIComponent(id)}/cancel`, { method: "POST", headers: JSON_TYPE, body: "{}" });
}

/** What lines would cost, in dollars as text; what has no known price, in lines, is in none of it. `provider_batch`: of
 * those that their provider's own batch endpoint would take, there and otherwise. */
export interface Cost {
  readonly lines: number;
  readonly unknown: number;
  readonly low_usd: string;
  readonly expected_usd: string;
  readonly ceiling_usd: string;
  readonly provider_batch: {
    readonly lines: number;
    readonly expected_usd: string;
    readonly otherwise_usd: string;
  } | null;
}

/** `refused`: lines that will fail, and why; `errors`: what is wrong with the file, so that no batch begins. */
export interface BatchQuote {
  readonly total: Cost;
  readonly models: readonly (Cost & { readonly model: string })[];
  readonly refused: readonly { readonly message: string; readonly lines: number }[];
  readonly errors: readonly { readonly message: string }[];
}

export function keepFile(file: File): Promise<StoredFile> {
  const form = new FormData();
  form.append("purpose", "batch");
  form.append("file", file);
  return asked("files", { method: "POST", body: form });
}

export function dropFile(id: string): Promise<unknown> {
  return asked(`files/${encodeURIComponent(id)}`, { method: "DELETE" });
}

/** Nothing is sent to a provider. */
export function quoteBatch(file: string, endpoint: string): Promise<BatchQuote> {
  const wanted = { input_file_id: file, endpoint };
  return asked("batches/quote", { method: "POST", headers: JSON_TYPE, body: JSON.stringify(wanted) });
}

/** The lines of a file that is kept are begun with at once. */
export function beginBatch(file: string, endpoint: string, atProvider: boolean): Promise<Batch> {
  const metadata = atProvider ? { ownkey_batch: "provider" } : undefined;
  const wanted = { input_file_id: file, endpoint, completion_window: "24h", metadata };
  return asked("batches", { method: "POST", headers: JSON_TYPE, body: JSON.stringify(wanted) });
}

export function contentPath(file: string): string {
  return `/v1/files/${encodeURIComponent(file)}/content`;
}

/** Whether nothing more becomes of it. */
export function isOver(batch: Batch): boolean {
  return ["completed", "failed", "expired", "cancelled"].includes(batch.status);
}
