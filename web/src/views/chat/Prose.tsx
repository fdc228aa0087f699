import { memo, type ReactNode, useMemo } from "react";
import Markdown, { type Components } from "react-markdown";
import gfm from "remark-gfm";
import classes from "./Chat.module.css";
import { Copy } from "./Copy";

/** An answer as it is meant to be read. It may say anything: no HTML of its own, and nothing is loaded from elsewhere.
 * It is drawn paragraph by paragraph, so that of a long one only the end is drawn anew. */
export default function Prose({ text }: { text: string }) {
  const found = useMemo(() => blocks(text), [text]);
  return (
    <div className={classes.prose}>
      {found.map((block, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they only ever grow at the end
        <Block key={at} text={block} />
      ))}
    </div>
  );
}

const Block = memo(function Block({ text }: { text: string }) {
  return (
    <div className={classes.block}>
      <Markdown components={DRAWN} remarkPlugins={PLUGINS}>
        {text}
      </Markdown>
    </div>
  );
});

/** Where nothing of what comes later can change how it is drawn: at a blank line outside code, before what is neither
 * indented nor of a list. */
function blocks(text: string): readonly string[] {
  const found: string[] = [];
  let fence: string | null = null;
  let from: string[] = [];
  let blank = false;
  for (const line of text.split("\n")) {
    const mark = /^ {0,3}(`{3,}|~{3,})/.exec(line)?.[1];
    const outside = fence === null;
    if (outside && blank && from.length > 0 && /^\S/.test(line) && !/^([-*+]|\d+[.)])\s/.test(line)) {
      found.push(from.join("\n"));
      from = [];
    }
    if (outside && mark) fence = mark;
    else if (fence !== null && mark?.startsWith(fence) && line.trim() === mark) fence = null;
    blank = line.trim() === "";
    from.push(line);
  }
  found.push(from.join("\n"));
  return found;
}

/** Below the view's own headings, whatever the answer calls them. */
function Heading({ children }: { children?: ReactNode }) {
  return <h3>{children}</h3>;
}

/** Tables, lists of tasks, what is struck out: models write them as on GitHub. */
const PLUGINS = [gfm];

const DRAWN: Components = {
  h1: Heading,
  h2: Heading,
  h3: Heading,
  h4: Heading,
  h5: Heading,
  h6: Heading,
  a: ({ href, children }) => <Elsewhere href={href}>{children}</Elsewhere>,
  img: ({ src, alt }) => (
    <Elsewhere href={typeof src === "string" ? src : undefined}>Picture{alt ? `: ${alt}` : ""}</Elsewhere>
  ),
  input: ({ checked }) => <span>{checked ? "☑" : "☐"}</span>,
  table: ({ children }) => (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
    <div className={classes.table} tabIndex={0}>
      <table>{children}</table>
    </div>
  ),
  pre: ({ children, node }) => {
    const code = node?.children[0];
    const said = code?.type === "element" && code.children[0]?.type === "text" ? code.children[0].value : "";
    const classed = code?.type === "element" ? code.properties.className : undefined;
    const language = Array.isArray(classed) ? String(classed[0]).replace("language-", "") : "";
    return <Code language={language} text={said} drawn={children} />;
  },
};

function Elsewhere({ href, children }: { href?: string; children?: ReactNode }) {
  if (!href || !/^(https?:|mailto:)/i.test(href)) return <span>{children}</span>;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer">
      {children}
    </a>
  );
}

export function Code({ language, text, drawn }: { language: string; text: string; drawn?: ReactNode }) {
  return (
    <div className={classes.code}>
      <div className={classes.codeHead}>
        <span>{language}</span>
        <Copy text={text} what="code" />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard */}
      <pre tabIndex={0}>{drawn ?? <code>{text}</code>}</pre>
    </div>
  );
}
