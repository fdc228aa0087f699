import { useSyncExternalStore } from "react";
import { grown, NOTHING, type Piece, saysSomething } from "../../api/answer";
import { type ChatRequest, chat, consentOf, isAbort, type Manner } from "../../api/chat";
import { asProblem } from "../../api/problem";
import { isQuote, quote } from "../../api/quote";
import { settled } from "../../api/run";
import { dropDraft, putBack } from "./draft";
import {
  answered,
  fieldsOf,
  isBusy,
  type Lane,
  lastStep,
  MOST_LANES,
  messagesOf,
  PLAIN,
  type Prompt,
  type Settings,
  type Step,
  shownTake,
  type Take,
  type Turn,
} from "./talk";

/** The conversation of this page. It lives in its memory alone: a reload forgets it. */
export interface Talk {
  readonly person: string | null;
  readonly lanes: readonly Lane[];
  readonly turns: readonly Turn[];
  readonly settings: Settings;
  /** The entry of the history that it goes on from. */
  readonly entry: string | null;
  /** Why the last that was asked could not be sent. */
  readonly unsent: string | null;
}

interface Place {
  readonly turn: number;
  readonly lane: string;
  readonly take: number;
}

/** Tries that are made by themselves where a provider says when. */
const MOST_AGAIN = 3;
const LONGEST_WAIT_S = 120;
const HIDDEN_MS = 250;

const EMPTY: Talk = {
  person: null,
  lanes: [{ id: "a", model: "" }],
  turns: [],
  settings: PLAIN,
  entry: null,
  unsent: null,
};

let talk: Talk = EMPTY;
let count = 0;
const listeners = new Set<() => void>();
const stops = new Map<string, AbortController>();
const waits = new Map<string, number>();
const pieces = new Map<string, { place: Place; come: Piece[] }>();
let frame: number | null = null;

export function useTalk(): Talk {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => talk,
  );
}

function set(next: Partial<Talk>): void {
  talk = { ...talk, ...next };
  for (const listener of listeners) listener();
}

/** What somebody else said here, or meant to, is not for this person. */
export function belongTo(person: string): void {
  if (talk.person === person) return;
  dropDraft();
  begin({ person });
}

/** A new conversation, with the same models and settings. */
export function begin(next: Partial<Talk> = {}): void {
  for (const stop of stops.values()) stop.abort();
  for (const wait of waits.values()) window.clearTimeout(wait);
  waits.clear();
  for (const turn of talk.turns) for (const one of turn.prompt.attached) if (one.url) URL.revokeObjectURL(one.url);
  const kept = next.person === undefined ? talk : EMPTY;
  set({ lanes: kept.lanes, settings: kept.settings, turns: [], entry: null, unsent: null, ...next });
}

export function setSettings(change: Partial<Settings>): void {
  set({ settings: { ...talk.settings, ...change } });
}

export function setModel(lane: string, model: string): void {
  set({ lanes: talk.lanes.map((one) => (one.id === lane ? { ...one, model } : one)) });
}

/** One lane more, without a model yet; its id, or null where there are as many as there can be. */
export function addLane(): string | null {
  const id = "abcdefgh".split("").find((letter) => talk.lanes.every((one) => one.id !== letter));
  if (id === undefined || talk.lanes.length >= MOST_LANES) return null;
  set({ lanes: [...talk.lanes, { id, model: "" }] });
  return id;
}

export function removeLane(lane: string): void {
  for (const turn of talk.turns) stop(turn.id, lane);
  set({ lanes: talk.lanes.filter((one) => one.id !== lane) });
}

/** One prompt to every lane; back in the box where it cannot be sent. */
export async function send(prompt: Prompt): Promise<void> {
  const { lanes } = talk;
  const turn: Turn = { id: ++count, prompt, takes: {}, shown: {} };
  set({ turns: [...talk.turns, turn] });
  const asked = await made(turn, () =>
    Promise.all(lanes.map(async ({ id, model }) => ({ lane: id, request: await requestOf(turn, id, model) }))),
  );
  if (asked === null) takeBack(turn);
  else await Promise.all(asked.map(({ lane, request }) => take(turn.id, lane, request.model, [], request)));
}

/** What is to be sent; null where it cannot be, and then it is said why, or where the conversation is another by now. */
async function made<Asked>(turn: Turn, make: () => Promise<Asked>): Promise<Asked | null> {
  const isThere = () => talk.turns.some((one) => one.id === turn.id);
  setUnsent(null);
  try {
    const asked = await make();
    return isThere() ? asked : null;
  } catch (error) {
    if (isThere()) setUnsent(`Nothing was sent. ${asProblem(error).said}`);
    return null;
  }
}

export function setUnsent(why: string | null): void {
  set({ unsent: why });
}

function takeBack(turn: Turn): void {
  if (!talk.turns.includes(turn)) return;
  set({ turns: talk.turns.filter((one) => one !== turn) });
  putBack(turn.prompt);
}

/** What asks this turn's question in a lane, at a model. */
export async function requestOf(turn: Turn, lane: string, model: string): Promise<ChatRequest> {
  const at = talk.turns.findIndex((one) => one.id === turn.id);
  const messages = await messagesOf(talk.settings, talk.turns.slice(0, at), lane, turn.prompt);
  return { model, messages, ...fieldsOf(talk.settings) };
}

/** The same prompt again, or at another model; what was answered before stays to be looked at. */
export async function again(turn: Turn, lane: string, model: string): Promise<void> {
  const request = await made(turn, () => requestOf(turn, lane, model));
  if (request !== null) await take(turn.id, lane, model, [], request);
}

/** The last step anew, after one that failed. */
export async function retry(turn: Turn, lane: string, of: Take): Promise<void> {
  const step = lastStep(of);
  if (step === undefined) return;
  const place = { turn: turn.id, lane, take: of.id };
  if (saysSomething(step.answer)) await take(turn.id, lane, of.model, of.steps.slice(0, -1), step.request);
  else await run(place, step.request, {}, step.tries);
}

/** Says yes to what a step asks. */
export async function approve(turn: Turn, lane: string, of: Take, remember: boolean): Promise<void> {
  const step = lastStep(of);
  if (!step?.consent) return;
  const manner = { consent: step.consent.token, remember };
  await run({ turn: turn.id, lane, take: of.id }, step.request, manner, step.tries);
}

export function decline(turn: Turn, lane: string, of: Take): void {
  change({ turn: turn.id, lane, take: of.id }, () => ({ state: "stopped", consent: null, run: null }));
}

/** Gives what the functions gave, and goes on. */
export async function giveResults(
  turn: Turn,
  lane: string,
  of: Take,
  results: Readonly<Record<string, string>>,
): Promise<void> {
  const step = lastStep(of);
  if (step === undefined) return;
  const place = { turn: turn.id, lane, take: of.id };
  change(place, () => ({ results }));
  const asked = await made(turn, () => requestOf(turn, lane, of.model));
  if (asked === null) return;
  const steps = [...of.steps.slice(0, -1), { ...step, results }];
  const request = { ...asked, messages: [...asked.messages, ...steps.flatMap((one) => answered(one, true))] };
  changeTake(place, (old) => ({ ...old, steps: [...old.steps, fresh(request)] }));
  await run(place, request, {});
}

/** Ends what comes, or waits, in this lane of this turn. */
export function stop(turn: number, lane: string): void {
  const found = talk.turns.find((one) => one.id === turn);
  for (const one of found?.takes[lane] ?? []) {
    const place = { turn, lane, take: one.id };
    stops.get(keyOf(place))?.abort();
    window.clearTimeout(waits.get(keyOf(place)));
    if (waits.delete(keyOf(place))) change(place, () => ({ state: "failed", againMs: null }));
  }
}

export function stopAll(): void {
  for (const turn of talk.turns) for (const lane of Object.keys(turn.takes)) stop(turn.id, lane);
}

export function show(turn: number, lane: string, at: number): void {
  changeTurn(turn, (old) => ({ ...old, shown: { ...old.shown, [lane]: at } }));
}

/** Whether something comes, in any lane. */
export function busy(of: Talk): boolean {
  return of.turns.some((turn) =>
    Object.keys(turn.takes).some((lane) => isBusy(lastStep(shownTake(turn, lane) ?? { id: 0, model: "", steps: [] }))),
  );
}

/** A number that no other turn or take has. */
export function nextId(): number {
  return ++count;
}

async function take(
  turn: number,
  lane: string,
  model: string,
  before: readonly Step[],
  request: ChatRequest,
): Promise<void> {
  const made: Take = { id: ++count, model, steps: [...before, fresh(request)] };
  changeTurn(turn, (old) => {
    const takes = [...(old.takes[lane] ?? []), made];
    return { ...old, takes: { ...old.takes, [lane]: takes }, shown: { ...old.shown, [lane]: takes.length - 1 } };
  });
  await run({ turn, lane, take: made.id }, request, {});
}

function fresh(request: ChatRequest): Step {
  return {
    request,
    answer: NOTHING,
    state: "coming",
    problem: null,
    consent: null,
    againMs: null,
    tries: 0,
    startedMs: Date.now(),
    firstMs: null,
    endedMs: null,
    quote: null,
    run: undefined,
    results: {},
  };
}

/** Asks, in the place of the last step. */
async function run(place: Place, request: ChatRequest, manner: Manner, tries = 0): Promise<void> {
  const key = keyOf(place);
  const stopper = new AbortController();
  stops.set(key, stopper);
  window.clearTimeout(waits.get(key));
  waits.delete(key);
  change(place, (old) => ({ ...fresh(request), quote: old.quote, tries: tries + 1 }));
  void expect(place, request);
  let id: string | null = null;
  try {
    for await (const piece of chat(request, { ...manner, signal: stopper.signal })) {
      if (piece.kind === "begun") id = piece.by.run;
      note(place, piece);
    }
    flush();
    change(place, () => ({ state: "whole", endedMs: Date.now() }));
  } catch (error) {
    flush();
    const problem = isAbort(error) ? null : asProblem(error);
    // Only where a provider was asked has the book something.
    if (problem?.provider) id ??= problem.request;
    change(place, (old) => ({ ...endOf(old, problem), problem, endedMs: Date.now() }));
    comeBack(place, request, manner);
  } finally {
    if (stops.get(key) === stopper) stops.delete(key);
  }
  const found = id ? await settled(id).catch(() => null) : null;
  if (stepAt(place)?.request === request) change(place, () => ({ run: found }));
}

function endOf(step: Step, problem: ReturnType<typeof asProblem> | null): Partial<Step> {
  if (problem === null) return { state: "stopped" };
  const consent = consentOf(problem);
  if (consent !== null && !saysSomething(step.answer)) return { state: "consent", consent };
  const waitS = problem.action === "wait" || problem.code === "overloaded" ? problem.retryAfterS : null;
  if (waitS !== null && waitS <= LONGEST_WAIT_S && step.tries <= MOST_AGAIN && !saysSomething(step.answer)) {
    return { state: "waiting", againMs: Date.now() + waitS * 1000 };
  }
  return { state: "failed" };
}

/** Asks again by itself when the provider said that it may. */
function comeBack(place: Place, request: ChatRequest, manner: Manner): void {
  const step = stepAt(place);
  if (step?.state !== "waiting" || step.againMs === null) return;
  const { tries } = step;
  waits.set(
    keyOf(place),
    window.setTimeout(() => void run(place, request, manner, tries), step.againMs - Date.now()),
  );
}

/** What it will cost, for the count while it comes; without it nothing is shown then. */
async function expect(place: Place, request: ChatRequest): Promise<void> {
  const { model, ...rest } = request;
  try {
    const [found] = await quote(rest, [model]);
    if (isQuote(found)) change(place, () => ({ quote: found }));
  } catch {
    // The answer itself says what is in the way.
  }
}

/** Pieces come faster than a screen is drawn: they are put in once for each frame. */
function note(place: Place, piece: Piece): void {
  const waiting = pieces.get(keyOf(place)) ?? { place, come: [] };
  waiting.come.push(piece);
  pieces.set(keyOf(place), waiting);
  if (frame !== null) return;
  frame = document.hidden ? window.setTimeout(flush, HIDDEN_MS) : window.requestAnimationFrame(flush);
}

function flush(): void {
  frame = null;
  const come = [...pieces.values()];
  pieces.clear();
  for (const { place, come: some } of come) {
    change(place, (old) => {
      const answer = some.reduce(grown, old.answer);
      return { answer, firstMs: old.firstMs ?? (some.some((one) => one.kind !== "begun") ? Date.now() : null) };
    });
  }
}

function keyOf(place: Place): string {
  return `${place.turn}/${place.lane}/${place.take}`;
}

function stepAt(place: Place): Step | undefined {
  const turn = talk.turns.find((one) => one.id === place.turn);
  const take = turn?.takes[place.lane]?.find((one) => one.id === place.take);
  return take && lastStep(take);
}

/** Changes the last step of a take; of one that is gone by now nothing. */
function change(place: Place, how: (old: Step) => Partial<Step>): void {
  changeTake(place, (take) => {
    const last = lastStep(take);
    return last ? { ...take, steps: [...take.steps.slice(0, -1), { ...last, ...how(last) }] } : take;
  });
}

function changeTake(place: Place, how: (old: Take) => Take): void {
  changeTurn(place.turn, (turn) => ({
    ...turn,
    takes: {
      ...turn.takes,
      [place.lane]: (turn.takes[place.lane] ?? []).map((one) => (one.id === place.take ? how(one) : one)),
    },
  }));
}

function changeTurn(id: number, how: (old: Turn) => Turn): void {
  if (talk.turns.some((one) => one.id === id)) {
    set({ turns: talk.turns.map((one) => (one.id === id ? how(one) : one)) });
  }
}
