export { CostQuote } from "./CostQuote.js";
export type { Shape, TokenSource } from "./client.js";
export type { KeyShape, ProviderShape } from "./keys.js";
export { ModelSelector } from "./ModelSelector.js";
export type { Model } from "./models.js";
export { OwnkeyProvider } from "./Provider.js";
export { type ProviderChange, ProviderSettings } from "./ProviderSettings.js";
export { UsageChart } from "./UsageChart.js";
