import type { ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { CostQuote } from "./CostQuote.js";
import { Client, type TokenSource } from "./client.js";
import { ModelSelector } from "./ModelSelector.js";
import { Given } from "./Provider.js";
import { ProviderSettings } from "./ProviderSettings.js";
import css from "./styles.css?raw";
import { UsageChart } from "./UsageChart.js";

const sheet = new CSSStyleSheet();
sheet.replaceSync(css);

/** One client, and the elements that ask by it: those that are given the same function share one token, and what one
 * changes the others look up again. */
interface Shared {
  readonly id: number;
  readonly source: TokenSource;
  readonly baseUrl: string;
  readonly client: Client;
  readonly by: Set<OwnkeyElement>;
}

const clients = new Set<Shared>();
let count = 0;

function sharedBy(source: TokenSource, baseUrl: string): Shared {
  const known = [...clients].find((one) => one.source === source && one.baseUrl === baseUrl);
  const shared = known ?? { id: ++count, source, baseUrl, client: new Client(baseUrl, source), by: new Set() };
  clients.add(shared);
  return shared;
}

/** `base-url` says where Ownkey is; `token` is set by script. Until both are there nothing is asked. */
abstract class OwnkeyElement extends HTMLElement {
  static observedAttributes: readonly string[] = ["base-url"];
  #root: Root | null = null;
  #token: TokenSource | null = null;
  #shared: Shared | null = null;

  abstract content(): ReactNode;

  get token(): TokenSource | null {
    return this.#token;
  }

  set token(source: TokenSource | null) {
    this.#token = source;
    this.draw();
  }

  connectedCallback(): void {
    const within = this.shadowRoot ?? this.attachShadow({ mode: "open" });
    within.adoptedStyleSheets = [sheet];
    this.#root = createRoot(within);
    this.#upgrade();
    this.draw();
  }

  disconnectedCallback(): void {
    this.#leave();
    this.#root?.unmount();
    this.#root = null;
  }

  attributeChangedCallback(): void {
    this.draw();
  }

  protected draw(): void {
    const baseUrl = this.getAttribute("base-url");
    if (this.#root === null) return;
    if (this.#token === null || !baseUrl) {
      // Whoever it was for has gone: the same function may bring another's token next.
      if (this.#token === null && this.#shared) clients.delete(this.#shared);
      this.#leave();
      this.#root.render(null);
      return;
    }
    const { id, client } = this.#join(this.#token, baseUrl);
    this.#root.render(
      <Given key={id} client={client}>
        {this.content()}
      </Given>,
    );
  }

  #join(source: TokenSource, baseUrl: string): Shared {
    if (this.#shared?.source === source && this.#shared.baseUrl === baseUrl) return this.#shared;
    this.#leave();
    this.#shared = sharedBy(source, baseUrl);
    this.#shared.by.add(this);
    return this.#shared;
  }

  /** With the last element its client goes, and the token that is in it. */
  #leave(): void {
    this.#shared?.by.delete(this);
    if (this.#shared?.by.size === 0) clients.delete(this.#shared);
    this.#shared = null;
  }

  protected tell(detail: unknown): void {
    this.dispatchEvent(new CustomEvent("change", { detail, bubbles: true, composed: true }));
  }

  // Set before the element was defined, it hides what is set here.
  #upgrade(): void {
    const own = Object.getOwnPropertyDescriptor(this, "token");
    if (own === undefined) return;
    Reflect.deleteProperty(this, "token");
    this.#token = own.value;
  }
}

/** `change`: `detail` is `{act, provider}`. */
export class OwnkeyProviderSettings extends OwnkeyElement {
  content(): ReactNode {
    return <ProviderSettings onChange={(change) => this.tell(change)} />;
  }
}

/** Attributes `value` and `label`; `change`: `detail` is `{value, model}`. */
export class OwnkeyModelSelector extends OwnkeyElement {
  static override observedAttributes = ["base-url", "value", "label"];

  get value(): string {
    return this.getAttribute("value") ?? "";
  }

  set value(target: string) {
    this.setAttribute("value", target);
  }

  content(): ReactNode {
    return (
      <ModelSelector
        value={this.getAttribute("value")}
        label={this.getAttribute("label") ?? undefined}
        onChange={(target, model) => {
          this.value = target;
          this.tell({ value: target, model });
        }}
      />
    );
  }
}

/** Attribute `days`. */
export class OwnkeyUsageChart extends OwnkeyElement {
  static override observedAttributes = ["base-url", "days"];

  content(): ReactNode {
    return <UsageChart days={numberOf(this, "days")} />;
  }
}

/** Attributes `model`, `prompt` and `max-tokens`. */
export class OwnkeyCostQuote extends OwnkeyElement {
  static override observedAttributes = ["base-url", "model", "prompt", "max-tokens"];

  content(): ReactNode {
    return (
      <CostQuote
        model={this.getAttribute("model")}
        prompt={this.getAttribute("prompt") ?? ""}
        maxTokens={numberOf(this, "max-tokens")}
      />
    );
  }
}

function numberOf(element: Element, name: string): number | undefined {
  const given = Number(element.getAttribute(name));
  return Number.isInteger(given) && given > 0 ? given : undefined;
}

const ELEMENTS = {
  "ownkey-provider-settings": OwnkeyProviderSettings,
  "ownkey-model-selector": OwnkeyModelSelector,
  "ownkey-usage-chart": OwnkeyUsageChart,
  "ownkey-cost-quote": OwnkeyCostQuote,
} as const;

for (const [name, element] of Object.entries(ELEMENTS)) {
  if (customElements.get(name) === undefined) customElements.define(name, element);
}

declare global {
  interface HTMLElementTagNameMap {
    "ownkey-provider-settings": OwnkeyProviderSettings;
    "ownkey-model-selector": OwnkeyModelSelector;
    "ownkey-usage-chart": OwnkeyUsageChart;
    "ownkey-cost-quote": OwnkeyCostQuote;
  }
}
