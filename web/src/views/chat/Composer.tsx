import { ActionIcon, Alert, Button, Collapse, FileButton, Group, Text, Textarea } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconAdjustments, IconPaperclip, IconPlayerStop, IconSend2, IconX } from "@tabler/icons-react";
import { type ClipboardEvent, type DragEvent, type KeyboardEvent, useId, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { single } from "../../parts/clicks";
import { LIMITS, size, TAKEN, taken } from "./attach";
import classes from "./Chat.module.css";
import { NO_PROMPT, setDraft, useDraft } from "./draft";
import { PriceLine } from "./PriceLine";
import { usePrices } from "./prices";
import { SettingsArea } from "./SettingsArea";
import { busy, send, setUnsent, stopAll, type Talk } from "./store";
import { type Attached, fieldsOf, lastStep, needsOf, type Prompt, shownTake, wantsResults } from "./talk";

export default function Composer({ talk }: { talk: Talk }) {
  const prompt = useDraft();
  const [refused, setRefused] = useState<readonly string[]>([]);
  const [over, setOver] = useState(false);
  const [settings, setSettings] = useState(false);
  const box = useRef<HTMLTextAreaElement>(null);
  const resetFile = useRef<() => void>(null);
  const navigate = useNavigate();
  const hint = useId();
  const thumbs = useMediaQuery("(pointer: coarse)") ?? false;
  const prices = usePrices(talk, prompt);
  const running = busy(talk);
  const wrong = problemOf(talk, prompt);
  const notSent = talk.unsent ? [talk.unsent, ...refused] : refused;

  const add = (files: readonly File[]) => {
    const found = taken(files, prompt.attached, talk.turns);
    setRefused(found.refused);
    setDraft((old) => ({ ...old, attached: [...old.attached, ...found.attached] }));
    resetFile.current?.();
  };
  const remove = (one: Attached) => {
    if (one.url) URL.revokeObjectURL(one.url);
    setDraft((old) => ({ ...old, attached: old.attached.filter((other) => other.id !== one.id) }));
    box.current?.focus();
  };
  const go = () => {
    if (wrong !== null || running) return;
    void send({ ...prompt, text: prompt.text.trim() });
    setDraft(() => NO_PROMPT);
    setRefused([]);
    navigate("/chat", { replace: true });
    box.current?.focus();
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing || thumbs) return;
    event.preventDefault();
    go();
  };
  const onPaste = (event: ClipboardEvent) => {
    const files = [...event.clipboardData.files];
    if (files.length === 0) return;
    event.preventDefault();
    add(files);
  };
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    add([...event.dataTransfer.files]);
  };
  return (
    <section className={classes.box} aria-label="Your message">
      {notSent.length > 0 && (
        <Alert
          role="alert"
          color="yellow"
          variant="light"
          mb="xs"
          withCloseButton
          closeButtonLabel="Dismiss"
          onClose={() => {
            setRefused([]);
            setUnsent(null);
          }}
        >
          {notSent.map((why) => (
            <div key={why}>{why}</div>
          ))}
        </Alert>
      )}
      <Collapse expanded={settings}>
        <SettingsArea settings={talk.settings} />
      </Collapse>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: dropping is a shortcut; the button does the same */}
      <div
        className={classes.card}
        data-over={over || undefined}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={onDrop}
      >
        {prompt.attached.length > 0 && (
          <Group component="ul" className={classes.list} gap="sm" mb="xs" aria-label="Attached">
            {prompt.attached.map((one) => (
              <AttachedView key={one.id} one={one} remove={() => remove(one)} />
            ))}
          </Group>
        )}
        <Textarea
          ref={box}
          aria-label="Message"
          aria-describedby={hint}
          placeholder={talk.turns.length === 0 ? "Ask anything" : "Say more"}
          variant="unstyled"
          autosize
          minRows={2}
          maxRows={12}
          value={prompt.text}
          onChange={(event) => {
            const text = event.currentTarget.value;
            setDraft((old) => ({ ...old, text }));
          }}
          onKeyDown={onKey}
          onPaste={onPaste}
        />
        <Group justify="space-between" wrap="nowrap" gap="xs">
          <Group gap={4} wrap="nowrap">
            <FileButton multiple accept={TAKEN} onChange={add} resetRef={resetFile}>
              {(props) => (
                <ActionIcon
                  {...props}
                  variant="subtle"
                  color="gray"
                  size="lg"
                  aria-label="Attach pictures or files"
                  title={LIMITS}
                >
                  <IconPaperclip size={18} aria-hidden />
                </ActionIcon>
              )}
            </FileButton>
            <Button
              variant="subtle"
              color="gray"
              leftSection={<IconAdjustments size={18} aria-hidden />}
              aria-expanded={settings}
              onClick={() => setSettings(!settings)}
            >
              Settings
            </Button>
          </Group>
          <Group gap="xs" wrap="nowrap">
            <Text id={hint} size="xs" className={thumbs ? "hidden" : "quiet"} visibleFrom="sm">
              Enter sends, Shift Enter begins a new line
            </Text>
            {running ? (
              <Button
                variant="default"
                leftSection={<IconPlayerStop size={16} aria-hidden />}
                onClick={single(stopAll)}
              >
                Stop{talk.lanes.length > 1 ? " all" : ""}
              </Button>
            ) : (
              <Button onClick={single(go)} disabled={wrong !== null} leftSection={<IconSend2 size={16} aria-hidden />}>
                Send
              </Button>
            )}
          </Group>
        </Group>
      </div>
      {prompt.attached.length > 0 && (
        <Text size="xs" className="quiet">
          {LIMITS}
        </Text>
      )}
      {wrong ? (
        <Text size="sm" c={wrong === EMPTY ? undefined : "var(--warn)"} className={classes.price} role="status">
          {wrong === EMPTY ? <PriceLine prices={null} demo={isDemo(talk)} running={false} needs={[]} /> : wrong}
        </Text>
      ) : (
        <PriceLine
          prices={prices}
          demo={isDemo(talk)}
          running={running}
          needs={needsOf(talk.settings, talk.turns, prompt)}
        />
      )}
    </section>
  );
}

function AttachedView({ one, remove }: { one: Attached; remove: () => void }) {
  return (
    <li className={classes.attached}>
      {one.url && <img src={one.url} alt="" className={classes.thumb} />}
      <span>
        {one.name}, {size(one.bytes)}
      </span>
      <ActionIcon variant="subtle" color="gray" size="md" aria-label={`Remove ${one.name}`} onClick={remove}>
        <IconX size={14} aria-hidden />
      </ActionIcon>
    </li>
  );
}

const EMPTY = "";

/** Why it cannot be sent yet; null where it can. */
function problemOf(talk: Talk, prompt: Prompt): string | null {
  if (talk.lanes.some((lane) => !lane.model)) return "Choose a model first.";
  const open = talk.turns.some((turn) =>
    talk.lanes.some((lane) => {
      const take = shownTake(turn, lane.id);
      const step = take && lastStep(take);
      return step !== undefined && wantsResults(step);
    }),
  );
  if (open) return "A function waits for its result. Give it above, and the answer goes on.";
  try {
    fieldsOf(talk.settings);
  } catch (error) {
    return error instanceof Error ? error.message : "The settings cannot be read.";
  }
  return prompt.text.trim() === "" && prompt.attached.length === 0 ? EMPTY : null;
}

function isDemo(talk: Talk): boolean {
  return talk.lanes.every((lane) => lane.model.startsWith("demo/") || lane.model === "demo");
}
