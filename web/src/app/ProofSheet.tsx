import { Button, Modal, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "../api/client";
import { useFocusBack } from "../parts/focus";
import { Failed } from "../parts/States";
import { usePerson } from "./session";

/** `end` is called once: with true where it was shown who it is. */
export default function ProofSheet({ end }: { end: (shown: boolean) => void }) {
  useFocusBack();
  const person = usePerson();
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const proving = useMutation({
    mutationFn: () => api.POST("/api/byok/sessions/current/proof", { body: { password, code: code || null } }),
    onSuccess: () => end(true),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    proving.mutate();
  };
  return (
    <Modal
      opened
      onClose={() => end(false)}
      title="Show that it is you"
      closeButtonProps={{ "aria-label": "Close" }}
      attributes={{ header: { role: "none" } }}
    >
      <form onSubmit={submit}>
        <Stack>
          <Text>This asks for your password again.</Text>
          <PasswordInput
            label="Password"
            autoComplete="current-password"
            required
            data-autofocus
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          {person.second_factor && (
            <TextInput
              label="Code from your authenticator"
              autoComplete="one-time-code"
              required
              value={code}
              onChange={(event) => setCode(event.currentTarget.value)}
            />
          )}
          {proving.isError && <Failed error={proving.error} compact />}
          <Button type="submit" loading={proving.isPending}>
            Go on
          </Button>
        </Stack>
      </form>
    </Modal>
  );
}
