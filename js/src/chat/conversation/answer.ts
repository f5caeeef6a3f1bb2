/**
 * One answer, and what each thing that is heard of its run makes of it; pure.
 *
 * The law: what has ended stays as it ended.
 */

import type { Heard } from '../follow';
import type { Reason, RunEvent, StoredMessage } from '../protocol';
import type { Answer, Thought } from './entries';

/** An answer of which nothing has been heard yet. */
export function awaited(id: string, run_id = ''): Answer {
  return {
    role: 'assistant',
    id,
    run_id,
    model: '',
    state: 'running',
    text: '',
    reasoning: '',
    thought: null,
    asked: false,
    status: '',
    given: null,
    sources: [],
    usage: null,
    failure: null,
    wire: 'open',
    stopping: false,
    last: 0,
    until: null
  };
}

/** An answer as the server keeps it. */
export function stored(message: StoredMessage): Answer {
  return {
    ...awaited(message.id, message.run_id),
    model: message.model,
    state: message.state,
    text: message.text,
    reasoning: message.reasoning,
    given: message.given,
    sources: message.sources,
    usage: message.usage,
    failure: message.failure
  };
}

/** The answer after something was heard; `at` in ms. */
export function heardBy(answer: Answer, heard: Heard, at: number): Answer {
  if (heard.kind === 'snapshot') {
    return { ...stored(heard.message), id: answer.id, thought: answer.thought, stopping: answer.stopping };
  }
  if (heard.kind === 'wire') {
    return { ...answer, wire: heard.state };
  }
  const after = { ...answer, last: heard.number };
  return heard.event ? told(after, heard.event, at) : after;
}

function told(answer: Answer, event: RunEvent, at: number): Answer {
  switch (event.name) {
    case 'run':
      return { ...answer, run_id: event.run_id, model: event.model };
    case 'status':
      return { ...answer, status: event.text };
    case 'context':
      return { ...answer, given: event.given, status: '' };
    case 'sources':
      return { ...answer, sources: event.sources };
    case 'reasoning':
      return { ...answer, reasoning: answer.reasoning + event.text, thought: witnessed(answer, at), status: '' };
    case 'token':
      return { ...answer, text: answer.text + event.text, status: '' };
    case 'usage':
      return { ...answer, usage: event.usage };
    case 'error':
      return { ...answer, failure: event.failure };
    case 'done':
      return ended(answer, event.reason);
    default:
      return answer;
  }
}

/** A run that was joined comes in one burst: how long it thought before that, nobody here has seen. */
function witnessed({ asked, thought }: Answer, at: number): Thought | null {
  return asked ? { from: thought?.from ?? at, to: at } : null;
}

/** The answer, ended so. */
export function ended(answer: Answer, state: Reason): Answer {
  return { ...answer, state, status: '', wire: 'open', stopping: false };
}
