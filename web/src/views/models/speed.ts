import type { Model } from "../../api/models";
import { duration } from "../../parts/figures";

/** As measured here: `84 tokens/s`, or how long its first word takes; nothing where nothing was measured. */
export function speedText(model: Model): string | null {
  if (model.tokensPerS !== null) return `${Math.round(model.tokensPerS)} tokens/s`;
  return model.firstMs === null ? null : `first in ${duration(model.firstMs)}`;
}
