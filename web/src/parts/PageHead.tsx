import { Box, Group, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";

/** A view's name, what it says in a line, and its one primary action at the top right. */
export function PageHead({ title, says, action }: { title: string; says?: ReactNode; action?: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Ownkey`;
  }, [title]);
  return (
    <Group justify="space-between" align="flex-start" mb="lg" gap="md">
      <Box maw={680}>
        <Title order={1}>{title}</Title>
        {says && (
          <Text className="quiet" mt={4}>
            {says}
          </Text>
        )}
      </Box>
      {action}
    </Group>
  );
}
