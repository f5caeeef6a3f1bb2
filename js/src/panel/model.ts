/** What anywidget gives a view: the widget's state, which the kernel shares, and messages to and from the kernel. */

/** The state by name (`jupyter_assistant/kernel/panel`). `path` is the notebook's, empty where it is not known. */
export interface State {
  /** Which panel this is, as long as its widget lives. */
  readonly panel: string;
  readonly path: string;
  readonly conversation: string;
  /** In CSS pixels. */
  readonly height: number;
}

export interface Model {
  get<Name extends keyof State>(name: Name): State[Name];
  set<Name extends keyof State>(name: Name, value: State[Name]): void;
  save_changes(): void;
  send(content: object): void;
  on(event: string, listener: (...words: unknown[]) => void): void;
  off(event: string, listener: (...words: unknown[]) => void): void;
}

/** Calls back on an event of the model's, until the signal. */
export function onModel(
  model: Model,
  event: string,
  listener: (...words: unknown[]) => void,
  signal: AbortSignal
): void {
  model.on(event, listener);
  signal.addEventListener('abort', () => {
    model.off(event, listener);
  });
}
