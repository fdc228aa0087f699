import { api, told } from "../../api/client";
import { besideButton } from "../../api/words";
import { duration } from "../../parts/figures";
import type { Valid } from "./data";

/** What a test did, and what came of it: `api.openai.com/v1/models answered in 0.4 s, with 63 models.` */
export function testSays(valid: Valid): string {
  const where = valid.asked ?? valid.provider;
  const after = valid.took_ms === null || valid.took_ms === undefined ? "" : ` in ${duration(valid.took_ms)}`;
  if (!valid.valid) {
    const asked = valid.asked ? `Asked ${valid.asked}${after && `, answered${after}`}. ` : "";
    return `${asked}${valid.error ?? "It did not work."} ${besideButton(valid.hint)}`.trimEnd();
  }
  const models = valid.models === null || valid.models === undefined ? "" : `, with ${many(valid.models)}`;
  return `${where} answered${after}${models}.`;
}

export function many(models: number): string {
  return models === 1 ? "1 model" : `${models.toLocaleString("en-US")} models`;
}

/** With its first key that fits, or without one where none is needed. */
export function testProvider(provider: string): Promise<Valid> {
  return told(api.POST("/api/byok/validate", { body: { provider } }));
}

export function testKey(key: string): Promise<Valid> {
  return told(api.POST("/api/byok/key/{key}/test", { params: { path: { key } } }));
}
