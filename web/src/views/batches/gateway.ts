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

/** The file is kept, and its lines are begun with at once. */
export async function beginBatch(file: File, endpoint: string, atProvider: boolean): Promise<Batch> {
  const form = new FormData();
  form.append("purpose", "batch");
  form.append("file", file);
  const kept = await asked<StoredFile>("files", { method: "POST", body: form });
  const metadata = atProvider ? { ownkey_batch: "provider" } : undefined;
  const wanted = { input_file_id: kept.id, endpoint, completion_window: "24h", metadata };
  return asked("batches", { method: "POST", headers: JSON_TYPE, body: JSON.stringify(wanted) });
}

export function contentPath(file: string): string {
  return `/v1/files/${encodeURIComponent(file)}/content`;
}

/** Whether nothing more becomes of it. */
export function isOver(batch: Batch): boolean {
  return ["completed", "failed", "expired", "cancelled"].includes(batch.status);
}
