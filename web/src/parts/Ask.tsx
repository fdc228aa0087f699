import { Button, Group, Modal, Text } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { useFocusBack } from "./focus";
import { Failed } from "./States";

/** A question before what cannot be taken back: it names what goes. `act` may fail; that is said here. */
export function Ask({
  title,
  children,
  verb,
  danger,
  act,
  close,
}: {
  title: string;
  children?: ReactNode;
  verb: string;
  danger?: boolean;
  act: () => Promise<unknown>;
  close: () => void;
}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  useFocusBack();
  const go = async () => {
    setBusy(true);
    setError(null);
    try {
      await act();
      close();
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal
      opened
      onClose={close}
      title={title}
      closeButtonProps={{ "aria-label": "Close" }}
      attributes={{ header: { role: "none" } }}
    >
      {children && <Text mb="md">{children}</Text>}
      {error !== null && <Failed error={error} compact />}
      <Group justify="flex-end" mt="md">
        <Button variant="default" onClick={close}>
          Cancel
        </Button>
        <Button color={danger ? "red.9" : undefined} loading={busy} onClick={() => void go()} data-autofocus>
          {verb}
        </Button>
      </Group>
    </Modal>
  );
}
