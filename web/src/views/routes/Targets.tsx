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
import {
  arrayMove,
  SortableContext,
  sortableKeyboardCoordinates,
  useSortable,
  verticalListSortingStrategy,
} from "@dnd-kit/sortable";
import { CSS } from "@dnd-kit/utilities";
import { ActionIcon, Box, Button, Group, Stack, Text } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconGripVertical, IconX } from "@tabler/icons-react";
import { useRef, useState } from "react";
import { ModelPicker } from "../../parts/ModelPicker";
import { State } from "../../parts/State";
import { type TargetFacts, useKnown } from "./known";
import classes from "./Routes.module.css";
import { STATES } from "./words";

/** Who is asked, in order: by a handle, by the keyboard, or by buttons. */
export function Targets({
  targets,
  change,
  fixed,
}: {
  targets: readonly string[];
  change: (targets: readonly string[]) => void;
  fixed: boolean;
}) {
  const known = useKnown();
  const [adding, setAdding] = useState<string | null>(null);
  const [moved, setMoved] = useState("");
  const list = useRef<HTMLOListElement>(null);
  const still = useRef(true);
  const sensors = useSensors(
    useSensor(PointerSensor, { activationConstraint: { distance: 4 } }),
    useSensor(KeyboardSensor, { coordinateGetter: sortableKeyboardCoordinates }),
  );
  const move = (from: number, to: number) => {
    if (to < 0 || to >= targets.length) return;
    change(arrayMove([...targets], from, to));
    setMoved(`${targets[from]} is number ${to + 1} of ${targets.length} now.`);
  };
  const dropped = ({ active, over }: DragEndEvent) => {
    if (over && over.id !== active.id) move(targets.indexOf(String(active.id)), targets.indexOf(String(over.id)));
  };
  const remove = (target: string) => {
    change(targets.filter((one) => one !== target));
    setMoved(`${target} is asked no more.`);
    list.current?.focus();
  };
  const add = () => {
    if (adding === null || targets.includes(adding)) return;
    change([...targets, adding]);
    setMoved(`${adding} is number ${targets.length + 1} now.`);
    setAdding(null);
  };
  return (
    <Stack gap="sm">
      <span className="hidden" role="status">
        {moved}
      </span>
      {targets.length === 0 && <Text className="quiet">Nobody yet. Choose who is asked first.</Text>}
      <DndContext
        sensors={sensors}
        collisionDetection={closestCenter}
        onDragEnd={dropped}
        accessibility={{
          announcements: announced(targets, still),
          screenReaderInstructions: {
            draggable: "Press space to take it up, the arrows to move it, space to put it down, escape to leave it.",
          },
        }}
      >
        <SortableContext items={[...targets]} strategy={verticalListSortingStrategy} disabled={fixed}>
          <ol className={classes.targets} ref={list} tabIndex={-1} aria-label="Who is asked, in order">
            {targets.map((target, at) => (
              <Row
                key={target}
                target={target}
                at={at}
                of={targets.length}
                facts={known.of(target)}
                fixed={fixed}
                move={move}
                remove={remove}
              />
            ))}
          </ol>
        </SortableContext>
      </DndContext>
      {!fixed && (
        <Group align="flex-start" gap="xs">
          <Box flex={1} miw={220}>
            <ModelPicker
              label="Ask also"
              value={adding}
              choose={(target) => setAdding(target)}
              others={known.others}
              error={adding !== null && targets.includes(adding) ? "It stands in the list already." : undefined}
            />
          </Box>
          <Button variant="default" mt={24} onClick={add} disabled={adding === null || targets.includes(adding)}>
            Add to the list
          </Button>
        </Group>
      )}
    </Stack>
  );
}

function Row({
  target,
  at,
  of,
  facts,
  fixed,
  move,
  remove,
}: {
  target: string;
  at: number;
  of: number;
  facts: TargetFacts;
  fixed: boolean;
  move: (from: number, to: number) => void;
  remove: (target: string) => void;
}) {
  const { attributes, listeners, setNodeRef, setActivatorNodeRef, transform, transition, isDragging } = useSortable({
    id: target,
    disabled: fixed,
  });
  return (
    <li
      ref={setNodeRef}
      className={classes.target}
      data-dragged={isDragging || undefined}
      style={{ transform: CSS.Translate.toString(transform), transition }}
    >
      {!fixed && (
        <ActionIcon
          ref={setActivatorNodeRef}
          {...attributes}
          {...listeners}
          variant="subtle"
          color="gray"
          aria-label={`Move ${target}`}
          className={classes.handle}
        >
          <IconGripVertical size={16} aria-hidden />
        </ActionIcon>
      )}
      <Text className="figures quiet" w={20} ta="right">
        {at + 1}
      </Text>
      <Box flex={1} miw={0}>
        <Text style={{ overflowWrap: "anywhere" }}>{target}</Text>
        <Group gap="sm">
          {facts.state && <State tone={STATES[facts.state].tone}>{STATES[facts.state].word}</State>}
          {facts.price && (
            <Text size="sm" className="quiet figures">
              {facts.price}
              {facts.price.startsWith("$") && " per 1M tokens, in / out"}
            </Text>
          )}
          {facts.says && (
            <Text size="sm" className="quiet">
              {facts.says}
            </Text>
          )}
        </Group>
      </Box>
      {!fixed && (
        <Group gap={2} wrap="nowrap">
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={`Move ${target} up`}
            aria-disabled={at === 0}
            data-disabled={at === 0 || undefined}
            onClick={() => move(at, at - 1)}
          >
            <IconArrowUp size={16} aria-hidden />
          </ActionIcon>
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={`Move ${target} down`}
            aria-disabled={at === of - 1}
            data-disabled={at === of - 1 || undefined}
            onClick={() => move(at, at + 1)}
          >
            <IconArrowDown size={16} aria-hidden />
          </ActionIcon>
          <ActionIcon variant="subtle" color="gray" aria-label={`Leave out ${target}`} onClick={() => remove(target)}>
            <IconX size={16} aria-hidden />
          </ActionIcon>
        </Group>
      )}
    </li>
  );
}

/** `still`: what was taken up has not been anywhere else yet, and so nothing more is said than that it was. */
function announced(targets: readonly string[], still: { current: boolean }): Announcements {
  const place = (id: string | number) => `number ${targets.indexOf(String(id)) + 1} of ${targets.length}`;
  return {
    onDragStart: ({ active }) => {
      still.current = true;
      return `${active.id} is taken up, ${place(active.id)}.`;
    },
    onDragOver: ({ active, over }) => {
      if (!over || (still.current && over.id === active.id)) return undefined;
      still.current = false;
      return `${active.id} would be ${place(over.id)}.`;
    },
    onDragEnd: ({ active, over }) => (over ? `${active.id} is put down as ${place(over.id)}.` : undefined),
    onDragCancel: ({ active }) => `${active.id} stays where it was.`,
  };
}
