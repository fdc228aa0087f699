/** A view of the page's, to which an error leads. */
export interface Way {
  to: string;
  title: string;
}

const PROVIDERS = { to: "/settings/byok", title: "Providers" };

/** Where the page has what a command does, by the first word of the command. What is done at a terminal alone is left. */
const VIEWS: Readonly<Record<string, Way>> = {
  keys: PROVIDERS,
  providers: PROVIDERS,
  models: { to: "/models", title: "Models" },
  routes: { to: "/routes", title: "Routes" },
  consents: { to: "/routes", title: "Routes" },
  budgets: { to: "/budgets", title: "Budgets" },
  limits: { to: "/budgets", title: "Budgets" },
  users: { to: "/people", title: "People" },
  tokens: { to: "/connect", title: "Connect" },
  automations: { to: "/automations", title: "Automations" },
  usage: { to: "/usage", title: "Usage" },
  history: { to: "/settings/remembered", title: "Settings" },
  alerts: { to: "/activity/alerts", title: "Alerts" },
  audit: { to: "/activity", title: "Activity" },
};
const OPTION = /`--[a-z]/;
const COMMAND = /`ownkey ([a-z]+)(?: [a-z]+ ([a-z0-9][a-z0-9-]*))?/;

/** What the server says, for who never saw a terminal: without the sentences that name an option of a command, or a
 * command whose work is done in a view here, and with the way to that view. */
export function onPage(said: string): { says: string; way: Way | null } {
  const { left, way } = parted(said);
  return { says: plain(left || said), way };
}

/** What a hint says beside the button that does what its commands do; nothing, where that was all. */
export function besideButton(hint: string | null | undefined): string {
  return plain(parted(hint ?? "").left);
}

function plain(said: string): string {
  return said.replaceAll("`", "");
}

function parted(said: string): { left: string; way: Way | null } {
  let way: Way | null = null;
  const left = said.split(/(?<=[.!?])\s+/).filter((sentence) => {
    const [, first = "", id] = COMMAND.exec(sentence) ?? [];
    const view = VIEWS[first];
    if (!view) return !OPTION.test(sentence);
    way ??= view === PROVIDERS && id ? { ...view, to: `${view.to}/${id}` } : view;
    return false;
  });
  return { left: left.join(" "), way };
}
