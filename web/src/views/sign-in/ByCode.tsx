import { Button, Group, Stack, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, told } from "../../api/client";
import { Failed } from "../../parts/States";
import type { Enter } from "./enter";

/** The second thing after a password: a code from an authenticator, or one that was kept for when that is lost. */
export function ByCode({ step, enter, again }: { step: string; enter: Enter; again: () => void }) {
  const [code, setCode] = useState("");
  const [recovering, setRecovering] = useState(false);
  const entering = useMutation({
    mutationFn: async () => {
      try {
        await enter(await told(api.POST("/api/byok/sign-in/code", { body: { step, code: code.trim() } })));
      } finally {
        setCode("");
      }
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    entering.mutate();
  };
  const field = recovering
    ? { label: "Recovery code", description: "One of those that you kept. Each is good once.", autoComplete: "off" }
    : {
        label: "Code from your authenticator",
        description: "The six digits that it shows now.",
        autoComplete: "one-time-code",
        inputMode: "numeric" as const,
      };
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput
          key={field.label}
          {...field}
          required
          withAsterisk={false}
          autoFocus
          spellCheck={false}
          value={code}
          onChange={(event) => setCode(event.currentTarget.value)}
        />
        {entering.isError && <Failed error={entering.error} compact />}
        <Button type="submit" loading={entering.isPending}>
          Sign in
        </Button>
        <Group justify="space-between">
          <Button variant="subtle" size="xs" onClick={() => setRecovering(!recovering)}>
            {recovering ? "Use the authenticator" : "Use a recovery code"}
          </Button>
          <Button variant="subtle" size="xs" color="gray" onClick={again}>
            Start again
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
