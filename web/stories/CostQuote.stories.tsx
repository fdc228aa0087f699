import type { Meta, StoryObj } from "@storybook/react-vite";
import { CostQuote } from "../packages/react/src/index.js";
import { EMPTY, FILLED, Standing } from "./ownkey.js";

const meta: Meta<typeof CostQuote> = {
  title: "CostQuote",
  component: CostQuote,
  args: { model: "openai/gpt-4o", prompt: "What is a key?", maxTokens: 1000 },
};
export default meta;

type Story = StoryObj<typeof CostQuote>;

const over = (answers: typeof EMPTY | "problem" | "never"): Story => ({
  decorators: [
    (Shown) => (
      <Standing answers={answers}>
        <Shown />
      </Standing>
    ),
  ],
});

export const Loading = over("never");
export const Empty: Story = { ...over(EMPTY), args: { prompt: "" } };
export const Failed = over("problem");
export const Filled = over(FILLED);
