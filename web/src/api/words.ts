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
const COMMAND = /`ownkey ([a-z]+)(?: [a-z]+ ([a-z0-9][a-z0-9-]*))?/;

/** What the server says, for who never saw a terminal: without the sentences that name a command whose work is done in a
 * view here, and with the way to that view. */
export function onPage(said: string): { says: string; way: Way | null } {
  let way: Way | null = null;
  const left = said.split(/(?<=[.!?])\s+/).filter((sentence) => {
    const [, first = "", id] = COMMAND.exec(sentence) ?? [];
    const view = VIEWS[first];
    if (!view) return true;
    way ??= view === PROVIDERS && id ? { ...view, to: `${view.to}/${id}` } : view;
    return false;
  });
  return { says: left.length > 0 ? left.join(" ") : said.replaceAll("`", ""), way };
}
