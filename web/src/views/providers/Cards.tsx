import {
  type Announcements,
  closestCenter,
  DndContext,
  type DragEndEvent,
  KeyboardSensor,
  PointerSensor,
  useSensor,
  useSensors,
} from "@dnd-kit/core";
import { arrayMove, rectSortingStrategy, SortableContext, sortableKeyboardCoordinates } from "@dnd-kit/sortable";
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";
import { api, told } from "../../api/client";
import { asProblem } from "../../api/problem";
import { useKeeper } from "../../app/session";
import { useSay } from "../../parts/Said";
import { Card } from "./Card";
import { type Key, LISTED, type Provider, type Providers, refresh } from "./data";
import classes from "./Providers.module.css";

/** Some of `all`, put in order by whoever keeps them: by a handle, or by its menu. */
export function Cards({
  shown,
  all,
  keys,
}: {
  shown: readonly Provider[];
  all: readonly Provider[];
  keys: readonly Key[];
}) {
  const keeper = useKeeper();
  const { move, toggle } = useChanges(all);
  const ids = shown.map((one) => one.id);
  const place = (from: number, to: number) => move(arrayMove(ids, from, to));
  const byProvider = useMemo(() => grouped(keys), [keys]);
  return (
    <Sorted ids={ids} place={place} names={new Map(shown.map((one) => [one.id, one.name]))}>
      <ul className={classes.cards}>
        {shown.map((provider, at) => (
          <Card
            key={provider.id}
            provider={provider}
            keys={byProvider.get(provider.id) ?? []}
            moves={
              keeper
                ? {
                    earlier: at > 0 ? () => place(at, at - 1) : null,
                    later: at < ids.length - 1 ? () => place(at, at + 1) : null,
                    toggle: () => toggle(provider),
                  }
                : null
            }
          />
        ))}
      </ul>
    </Sorted>
  );
}

function grouped(keys: readonly Key[]): ReadonlyMap<string, readonly Key[]> {
  const found = new Map<string, Key[]>();
  for (const key of keys) found.set(key.provider, [...(found.get(key.provider) ?? []), key]);
  return found;
}

/** The order is shown at once, and as it was before where it could not be kept. */
function useChanges(all: readonly Provider[]) {
  const queries = useQueryClient();
  const say = useSay();
  const keep = (providers: string[]) => told(api.PUT("/api/byok/provider-order", { body: { providers } }));
  const show = (order: readonly string[]) =>
    queries.setQueryData<Providers>(LISTED, (old) => old && { ...old, providers: ordered(old.providers, order) });
  const move = async (shown: readonly string[]) => {
    const before = all.map((one) => one.id);
    const after = merged(before, shown);
    await queries.cancelQueries({ queryKey: LISTED });
    show(after);
    try {
      await keep(after);
    } catch (error) {
      show(before);
      say(`The order was not kept. ${asProblem(error).said}`);
    }
  };
  const toggle = async (provider: Provider) => {
    const enabled = !provider.enabled;
    try {
      await switched(provider.id, enabled);
      say({
        text: `${provider.name} is switched ${enabled ? "on" : "off"}.`,
        undo: () => void switched(provider.id, !enabled).then(() => refresh(queries)),
      });
    } catch (error) {
      say(`${provider.name} is as it was. ${asProblem(error).said}`);
    }
    await refresh(queries);
  };
  return { move: (shown: readonly string[]) => void move(shown), toggle: (one: Provider) => void toggle(one) };
}

export function switched(provider: string, enabled: boolean) {
  return told(api.PATCH("/api/byok/providers/{provider}", { params: { path: { provider } }, body: { enabled } }));
}

/** The whole order, where those that are shown have changed places among themselves. */
function merged(all: readonly string[], shown: readonly string[]): string[] {
  const moved = new Set(shown);
  const next = shown[Symbol.iterator]();
  return all.map((id) => (moved.has(id) ? (next.next().value as string) : id));
}

function ordered(providers: readonly Provider[], order: readonly string[]): Provider[] {
  const places = new Map(order.map((id, at) => [id, at]));
  return [...providers].sort((one, other) => (places.get(one.id) ?? 0) - (places.get(other.id) ?? 0));
}

function Sorted({
  ids,
  names,
  place,
  children,
}: {
  ids: string[];
  names: ReadonlyMap<string, string>;
  place: (from: number, to: number) => void;
  children: ReactNode;
}) {
  const sensors = useSensors(
    useSensor(PointerSensor, { activationConstraint: { distance: 4 } }),
    useSensor(KeyboardSensor, { coordinateGetter: sortableKeyboardCoordinates }),
  );
  const dropped = ({ active, over }: DragEndEvent) => {
    if (over && over.id !== active.id) place(ids.indexOf(String(active.id)), ids.indexOf(String(over.id)));
  };
  const nameOf = (id: string | number) => names.get(String(id)) ?? "It";
  const at = (id: string | number) => `${ids.indexOf(String(id)) + 1} of ${ids.length}`;
  const announcements: Announcements = {
    onDragStart: ({ active }) => `${nameOf(active.id)} is taken, place ${at(active.id)}.`,
    onDragOver: ({ active, over }) => (over ? `${nameOf(active.id)} would come to place ${at(over.id)}.` : undefined),
    onDragEnd: ({ active, over }) => `${nameOf(active.id)} is at place ${at(over?.id ?? active.id)}.`,
    onDragCancel: ({ active }) => `${nameOf(active.id)} is where it was.`,
  };
  const instructions = "Press space to take it, the arrows to move it, space to let go, escape to leave it.";
  return (
    <DndContext
      sensors={sensors}
      collisionDetection={closestCenter}
      onDragEnd={dropped}
      accessibility={{ announcements, screenReaderInstructions: { draggable: instructions } }}
    >
      <SortableContext items={ids} strategy={rectSortingStrategy}>
        {children}
      </SortableContext>
    </DndContext>
  );
}
