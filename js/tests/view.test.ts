import { expect, test } from 'vitest';
import { Place, Script, message } from './script';
import { Screen } from './screen';

test('an empty conversation names the notebook and says that no model is connected', async () => {
  const screen = new Screen();
  await screen.shows('No language model is connected');
  expect(screen.find('h2').textContent).toBe('Ask about analysis.ipynb');
  expect(screen.find('.jp-Assistant-subject').textContent).toBe('analysis.ipynbCell 3');
});

test('with a model and without a notebook it says neither', async () => {
  const [script, place] = [new Script(), new Place()];
  script.name = 'openai/gpt';
  place.about = null;
  const screen = new Screen(script, place);
  await screen.shows('Ask the assistant');
  await screen.ask('x');
  expect(script.asked[0]?.question).not.toHaveProperty('notebook');
  expect(screen.text).not.toContain('No language model');
});

test('Enter sends the question with the notebook and shows the answer as it comes', async () => {
  const screen = new Screen();
  await screen.ask('  Why does it fail?  ');
  expect(screen.script.asked[0]?.question).toMatchObject({
    question: 'Why does it fail?',
    notebook: { path: 'analysis.ipynb', cell_id: 'c3' },
    request_id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/) as string
  });
  screen.stream.run().tell('status', { text: 'Reading analysis.ipynb…' });
  await screen.shows('Reading analysis.ipynb…');
  screen.stream.token('Cell 5 ').token('**fails**.');
  await screen.until(() => screen.el.querySelector('strong')?.textContent === 'fails');
  expect(screen.find('article[aria-busy=true]').getAttribute('aria-label')).toBe('Assistant, message 2');
  screen.stream.tell('usage', { input_tokens: 12, output_tokens: 3, seconds: 1.25 }).done();
  await screen.shows('test/model · 12 in · 3 out · 1.3 s');
  expect(screen.all('article[aria-busy=true]')).toEqual([]);
  expect(screen.composer.value).toBe('');
});

test('Shift+Enter and Enter while composing do not send', async () => {
  const screen = new Screen();
  screen.type('日本');
  await screen.until(() => screen.send.getAttribute('aria-disabled') === 'false');
  expect(screen.key('Enter', { shiftKey: true })).toBe(true);
  expect(screen.key('Enter', { isComposing: true })).toBe(true);
  expect(screen.key('Enter', { keyCode: 229 })).toBe(true);
  expect(screen.script.asked).toEqual([]);
  screen.key('Enter');
  expect(screen.script.asked).toHaveLength(1);
});

test('Send becomes Stop on the very same button, and back', async () => {
  const screen = new Screen();
  const { send } = screen;
  await screen.ask('x');
  screen.stream.run().token('half');
  await screen.until(() => send.getAttribute('aria-label') === 'Stop');
  send.click();
  await screen.until(() => screen.script.stopped.length === 1);
  await screen.shows('Stopping…');
  send.click();
  screen.stream.done('cancelled');
  await screen.shows('Stopped');
  expect(screen.script.stopped).toEqual(['run-1']);
  expect(screen.text).toContain('half');
  expect(screen.send).toBe(send);
  expect(send.getAttribute('aria-label')).toBe('Send');
});

test('the second click of a double click does not stop what the first one sent', async () => {
  const screen = new Screen();
  screen.type('x');
  await screen.until(() => screen.send.getAttribute('aria-disabled') === 'false');
  screen.send.dispatchEvent(new MouseEvent('click', { bubbles: true, detail: 1 }));
  await screen.until(() => screen.send.getAttribute('aria-label') === 'Stop');
  screen.send.dispatchEvent(new MouseEvent('click', { bubbles: true, detail: 2 }));
  screen.stream.run().token('goes on');
  await screen.shows('goes on');
  expect(screen.script.stopped).toEqual([]);
});

test('Escape stops, also before the run is known', async () => {
  const screen = new Screen();
  await screen.ask('x');
  await screen.until(() => screen.send.getAttribute('aria-label') === 'Stop');
  screen.key('Escape');
  await screen.shows('Stopping…');
  expect(screen.script.stopped).toEqual([]);
  screen.stream.run('run-7');
  await screen.until(() => screen.script.stopped.length === 1);
  expect(screen.script.stopped).toEqual(['run-7']);
});

test('Enter during an answer keeps what was typed', async () => {
  const screen = new Screen();
  await screen.ask('first');
  screen.type('second');
  screen.key('Enter');
  screen.stream.run().token('a').done();
  await screen.shows('test/model');
  expect(screen.composer.value).toBe('second');
  expect(screen.script.asked).toHaveLength(1);
});

test('a question that is too long stays whole and says by how much', async () => {
  const screen = new Screen();
  screen.type('😀'.repeat(32_002));
  await screen.until(() => screen.el.textContent.includes('2 characters too many'));
  screen.key('Enter');
  expect(screen.script.asked).toEqual([]);
  expect(screen.composer.value).toHaveLength(64_004);
  screen.type('😀'.repeat(32_000));
  await screen.until(() => screen.send.getAttribute('aria-disabled') === 'false');
});

test('an error keeps the text and offers one action', async () => {
  const screen = new Screen();
  await screen.ask('x');
  screen.stream
    .run()
    .token('half an answer')
    .tell('error', { code: 'gateway_cut', text: 'It was cut off.', hint: 'Ask again.' });
  screen.stream.done('error');
  await screen.shows('It was cut off.');
  expect(screen.text).toContain('half an answer');
  await screen.until(() => screen.find('[role=alert]').textContent === 'It was cut off. Ask again.');
  expect(screen.all('.jp-Assistant-error button')).toHaveLength(1);
  screen.button('Continue').click();
  await screen.until(() => screen.script.asked.length === 2);
  expect(screen.script.asked[1]?.question).toMatchObject({ conversation_id: 'conv-1' });
  await screen.until(() => screen.all('.jp-Assistant-error button').length === 0);
});

test('Try again sends the same question anew once the server had accepted it', async () => {
  const screen = new Screen();
  await screen.ask('Why?');
  screen.stream.run().tell('error', { code: 'gateway_failed', text: 'It failed.', hint: '' }).done('error');
  await screen.shows('It failed.');
  screen.button('Try again').click();
  await screen.until(() => screen.script.asked.length === 2);
  const [first, second] = screen.script.asked.map(({ question }) => question);
  expect(second?.question).toBe('Why?');
  expect(second?.request_id).not.toBe(first?.request_id);
});

test('Try again repeats the very same request while no run is known', async () => {
  const screen = new Screen();
  await screen.ask('Why?');
  screen.stream.lose();
  await screen.shows('The Jupyter server cannot be reached.');
  screen.button('Try again').click();
  await screen.until(() => screen.script.asked.length === 2);
  expect(screen.script.asked[1]?.question).toEqual(screen.script.asked[0]?.question);
  screen.stream.run().token('at last').done();
  await screen.shows('at last');
  expect(screen.all('.jp-Assistant-question')).toHaveLength(1);
  expect(screen.text).not.toContain('cannot be reached');
});

test('a refused question can be edited', async () => {
  const screen = new Screen();
  await screen.ask('too odd');
  screen.stream.refuse(400, 'invalid');
  await screen.shows('refused: invalid');
  screen.button('Edit the question').click();
  await screen.until(() => screen.composer.value === 'too odd');
});

test('a lost connection is said quietly, keeps the text, and goes on by itself', async () => {
  const screen = new Screen();
  await screen.ask('x');
  screen.stream.run().token('one ');
  screen.stream.lose();
  await screen.until(() => screen.script.resumed.length === 1);
  await screen.shows('Reconnecting…');
  expect(screen.text).toContain('one');
  expect(screen.script.resumed[0]).toMatchObject({ run_id: 'run-1', after: 2 });
  screen.script.resumed[0]?.stream.token('two').done();
  await screen.shows('one two');
  expect(screen.text).not.toContain('Reconnecting');
});

test('reasoning is folded, given and sources lead to their cells', async () => {
  const screen = new Screen();
  await screen.ask('x');
  const items = [
    { kind: 'notebook', label: 'outline', path: 'a/analysis.ipynb', chars: 4 },
    { kind: 'cell', label: 'cell 3', path: 'a/analysis.ipynb', cell_id: 'c3', chars: 9 },
    { kind: 'error', label: 'cell 5 · KeyError', path: 'a/analysis.ipynb', cell_id: 'c5', chars: 9, truncated: true },
    { kind: 'error', label: 'cell 7 · NameError', path: 'a/analysis.ipynb', cell_id: 'c7', chars: 9 }
  ];
  const sources = [
    { title: 'analysis.ipynb, cell 5', path: 'a/analysis.ipynb', cell_id: 'c5', url: 'x', score: 1, snippet: 's' }
  ];
  screen.stream
    .run()
    .tell('context', { items, chars: 31, budget: 99 })
    .tell('reasoning', { text: 'Hm.' })
    .tell('sources', sources);
  screen.stream.token('So.').done();
  await screen.shows('Given: analysis.ipynb, cell 3, 2 errors');
  await screen.shows('Hm.');
  expect(screen.all('details[open]')).toEqual([]);
  await screen.until(() => screen.all('.jp-Assistant-chip').length === 1);
  screen.find('.jp-Assistant-chip').click();
  screen.button('cell 3').click();
  expect(screen.place.opened).toEqual([
    ['a/analysis.ipynb', 'c5'],
    ['a/analysis.ipynb', 'c3']
  ]);
});

test('a code block has its language, is copied as it is, and gets its colours when it is complete', async () => {
  const screen = new Screen();
  await screen.ask('x');
  screen.stream.run().token('```Python title="x"\nx = 1\n');
  await screen.until(() => screen.el.querySelector('pre')?.textContent === 'x = 1');
  expect(screen.find('.jp-Assistant-codeHead span').textContent).toBe('python');
  expect(screen.all('.coloured')).toEqual([]);
  screen.stream.token('y = 2\n```\n').done();
  await screen.until(() => screen.all('.coloured').length === 1);
  screen.button('Copy').click();
  await screen.until(() => screen.place.copied.length === 1);
  expect(screen.place.copied).toEqual(['x = 1\ny = 2']);
  await screen.until(() => screen.find('.jp-Assistant-codeHead button').getAttribute('aria-label') === 'Copied');
});

test('nodes of finished blocks stay the same nodes to the end of the answer', async () => {
  const screen = new Screen();
  await screen.ask('x');
  screen.stream.run().token('First paragraph.\n\n## Head\n\n```python\nx = 1\n```\n\nLast one');
  await screen.shows('Last one');
  const markdown = screen.find('.jp-Assistant-markdown');
  const [paragraph, head, code] = Array.from(markdown.children);
  const words = paragraph?.firstChild;
  for (const piece of [' grows', '.\n\n- a\n', '- b\n\n', 'More **bold**', ' text.\n\nEnd.']) {
    screen.stream.token(piece);
    await screen.until(() =>
      markdown.textContent.includes(
        piece
          .trim()
          .replace(/[*\-\s.]+/g, ' ')
          .trim()
          .split(' ')
          .at(-1) ?? ''
      )
    );
    expect(Array.from(markdown.children).slice(0, 3)).toEqual([paragraph, head, code]);
  }
  screen.stream.done();
  await screen.shows('test/model');
  expect(markdown.children[0]).toBe(paragraph);
  expect(markdown.children[1]).toBe(head);
  expect(markdown.children[2]).toBe(code);
  expect(paragraph?.firstChild).toBe(words);
});

test('many tokens in one frame are one rendering', async () => {
  const screen = new Screen();
  await screen.ask('x');
  let renderings = 0;
  const observer = new MutationObserver(() => renderings++);
  observer.observe(screen.find('[role=log]'), { childList: true, characterData: true, subtree: true });
  screen.stream.run();
  for (let index = 0; index < 500; index++) {
    screen.stream.token(`${index} `);
  }
  await screen.shows('499');
  observer.disconnect();
  expect(renderings).toBeLessThan(20);
});

test('a screen reader hears of the beginning and the end, never of tokens, and the focus stays', async () => {
  const screen = new Screen();
  screen.panel.focus();
  await screen.ask('x');
  const status = screen.find('[role=status]');
  await screen.until(() => status.textContent === 'Generating…');
  screen.stream.run().token('four words are here');
  await screen.shows('four words are here');
  expect(status.textContent).toBe('Generating…');
  screen.stream.done();
  await screen.until(() => status.textContent === 'Answer ready, 4 words');
  expect(screen.find('[role=log]').getAttribute('aria-live')).toBe('off');
  expect(document.activeElement).toBe(screen.composer);
});

test('a reload shows the conversation again and goes on with its answer from the beginning', async () => {
  const [script, place] = [new Script(), new Place()];
  place.remembered = 'conv-1';
  script.store(
    'conv-1',
    [message('user', 'Why?'), message('assistant', 'ha', { run_id: 'run-1', state: 'running' })],
    'run-1'
  );
  const screen = new Screen(script, place);
  await screen.until(() => script.resumed.length === 1);
  expect(script.resumed[0]).toMatchObject({ run_id: 'run-1', after: 0 });
  script.resumed[0]?.stream.run().token('half').token(' and whole').done();
  await screen.shows('half and whole');
  expect(screen.text.match(/half/g)).toHaveLength(1);
  expect(screen.find('.jp-Assistant-title').textContent).toBe('Title of conv-1');
});

test('a reload after the end says nothing to a screen reader', async () => {
  const [script, place] = [new Script(), new Place()];
  place.remembered = 'conv-1';
  script.store('conv-1', [message('user', 'Why?'), message('assistant', 'Because.', { state: 'interrupted' })]);
  const screen = new Screen(script, place);
  await screen.shows('Because.');
  await screen.shows('Interrupted');
  expect(screen.find('[role=status]').textContent).toBe('');
  expect(screen.button('Continue')).toBeTruthy();
});

test('a conversation that is gone after a reload gives way to a new one', async () => {
  const place = new Place();
  place.remembered = 'conv-9';
  const screen = new Screen(new Script(), place);
  await screen.shows('Ask about analysis.ipynb');
  expect(place.remembered).toBe('');
});

test('the running conversation is remembered as soon as it has an id', async () => {
  const screen = new Screen();
  await screen.ask('x');
  screen.stream.run('run-1', 'conv-5');
  await screen.until(() => screen.place.remembered === 'conv-5');
});

test('the list shows the conversations, which of them answer, and opens one', async () => {
  const script = new Script();
  script.store('conv-2', [message('user', 'old question'), message('assistant', 'old answer')]);
  script.store('conv-3', [], 'run-3');
  const screen = new Screen(script);
  screen.find('.jp-Assistant-title').click();
  await screen.until(() => screen.all('.jp-Assistant-open').length === 2);
  expect(screen.all('.jp-Assistant-list [aria-label=Answering]')).toHaveLength(1);
  screen.button('Title of conv-2').click();
  await screen.shows('old answer');
  await screen.until(() => screen.all('.jp-Assistant-list').length === 0);
  screen.find('[aria-label="New conversation"]').click();
  await screen.shows('Ask about');
});

test('after it is disposed nothing is left of the panel, and no run was stopped', async () => {
  const screen = new Screen();
  await screen.ask('x');
  screen.stream.run().token('a');
  await screen.shows('a');
  screen.panel.dispose();
  expect(screen.el.innerHTML).toBe('');
  expect(screen.stream.signal.aborted).toBe(true);
  expect(screen.script.stopped).toEqual([]);
});

test('an empty conversation offers questions about the open notebook, and one click asks', async () => {
  const place = new Place();
  place.failing = 6;
  const screen = new Screen(new Script(), place);
  const offered = screen.all('.jp-Assistant-suggestions button').map(button => button.textContent);
  expect(offered).toEqual(['Why does cell 6 fail?', 'What does this notebook do?', 'Explain cell 3']);
  screen.button('Why does cell 6 fail?').click();
  await screen.until(() => screen.script.asked.length === 1);
  expect(screen.script.asked[0]?.question.question).toBe('Why does cell 6 fail?');
  expect(screen.panel.focused()).toBe(true);
});

test('before anything has arrived it says whom it waits for', async () => {
  const screen = new Screen();
  await screen.ask('one');
  screen.script.asked[0]?.stream.run('r1', 'c1');
  await screen.until(() => screen.text.includes('Waiting for '));
});

test('what is typed right after "New conversation" stands in the new one', async () => {
  const screen = new Screen();
  await screen.ask('First');
  screen.stream.run().token('Yes.').done();
  await screen.shows('Yes.');
  screen.button('New conversation').click();
  await new Promise(resolve => setTimeout(resolve)); // the next key is another task, long before the next frame
  screen.type('Second');
  await screen.until(() => screen.all('article').length === 0);
  await new Promise(resolve => setTimeout(resolve, 200));
  expect(screen.composer.value).toBe('Second');
  expect(screen.place.drafts.get('')).toBe('Second');
});
