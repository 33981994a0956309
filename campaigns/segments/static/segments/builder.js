/* The rule builder: a rule as nested groups and forms, beside its text. Without this script the text alone serves. */
(() => {
  'use strict';
  const root = document.getElementById('rule-builder');
  if (!root) return;
  const form = root.closest('form'), area = form.querySelector('[name=text]');
  const board = root.querySelector('[data-board]'), status = root.querySelector('[data-status]');
  const list = root.querySelector('[data-problems]'), views = [...root.querySelectorAll('[data-view]')];
  const GROUPS = ['all', 'any', 'none'], WAIT = 350;
  let known, words, rule = null, mode = 'text', timer = 0, running = null, id = 0;

  const number = new Intl.NumberFormat(document.documentElement.lang);
  const plain = value => value !== null && typeof value === 'object' && !Array.isArray(value);
  const kindOf = node => plain(node) ? GROUPS.find(kind => kind in node) : undefined;
  const operatorOf = node => plain(node) ? known.operators.find(one => one.key in node) : undefined;

  /* An element; attributes beginning with "on" are listeners. */
  function el(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
      else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : value);
    }
    made.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined));
    return made;
  }

  const button = (text, act, more) => el('button', {type: 'button', class: 'button small', onclick: act, ...more}, text);
  function select(label, options, value, act, more) {
    const made = el('select', {'aria-label': label, ...more, onchange: event => act(event.target.value)},
      options.map(([key, text]) => el('option', {value: key, selected: key === value}, text)));
    if (value !== undefined && !options.some(([key]) => key === value)) made.prepend(el('option', {value, selected: true}, value || words.choose));
    return made;
  }
  function input(label, value, act, more) {
    return el('input', {type: 'text', 'aria-label': label, value: value ?? '', ...more, oninput: event => act(event.target.value)});
  }
  function suggested(label, options, value, act, more) {
    const name = `rb-list-${++id}`;
    return [input(label, value, act, {list: name, autocomplete: 'off', ...more}),
      el('datalist', {id: name}, options.map(one => el('option', {value: one.key, label: one.label === one.key ? undefined : one.label})))];
  }

  /* Draw everything anew; the focus stays where it was, or goes to `focus`. */
  function draw(focus) {
    const held = focus || (document.activeElement && document.activeElement.dataset.f);
    board.replaceChildren(group(rule, 'rule', null, 0));
    const target = held && [...board.querySelectorAll('[data-f]')].find(one => one.dataset.f === held);
    if (target) (target.disabled && target.parentElement.querySelector('button:not(:disabled)') || target).focus();
    changed();
  }

  function tools(where, siblings, index, listPath) {
    if (!siblings) return null;
    const move = by => () => {
      const [item] = siblings.splice(index, 1);
      siblings.splice(index + by, 0, item);
      draw(`${listPath}[${index + by}]|${by < 0 ? 'up' : 'down'}`);
    };
    const remove = () => { siblings.splice(index, 1); draw(siblings.length ? `${listPath}[${Math.max(0, index - 1)}]|kind` : `${listPath}|add`); };
    return el('span', {class: 'rb-tools'},
      button('↑', move(-1), {title: words.up, 'aria-label': words.up, disabled: index === 0, 'data-f': `${where}|up`}),
      button('↓', move(1), {title: words.down, 'aria-label': words.down, disabled: index === siblings.length - 1, 'data-f': `${where}|down`}),
      button('×', remove, {title: words.remove, 'aria-label': words.remove, 'data-f': `${where}|remove`}));
  }

  function group(node, where, siblings, index, listPath) {
    const kind = kindOf(node), inner = node[kind], path = `${where}.${kind}`;
    const rename = chosen => { delete node[kind]; node[chosen] = inner; draw(`${where}|kind`); };
    const add = (made, field) => () => { inner.push(made()); draw(`${path}[${inner.length - 1}]|${field}`); };
    return el('fieldset', {class: `rb-group rb-${kind}`, 'data-where': where},
      el('legend', {class: 'visually-hidden'}, words.group),
      el('div', {class: 'rb-head'},
        select(words.group, GROUPS.map(one => [one, words[one]]), kind, rename, {'data-f': `${where}|kind`}),
        el('output', {class: 'rb-count'}), tools(where, siblings, index, listPath)),
      el('p', {class: 'rb-error', hidden: true}),
      inner.length ? el('ol', {}, inner.map((child, place) => el('li', {}, draft(child, `${path}[${place}]`, inner, place, path))))
        : el('p', {class: 'muted'}, words.everybody),
      el('div', {class: 'rb-adds'},
        button(`+ ${words.addCondition}`, add(() => structuredClone(known.operators[0].start), 'kind'), {'data-f': `${path}|add`}),
        button(`+ ${words.addGroup}`, add(() => ({any: [structuredClone(known.operators[0].start)]}), 'kind'))));
  }

  function draft(node, where, siblings, index, listPath) {
    return kindOf(node) && Array.isArray(node[kindOf(node)]) ? group(node, where, siblings, index, listPath) : leaf(node, where, siblings, index, listPath);
  }

  function leaf(node, where, siblings, index, listPath) {
    const operator = operatorOf(node), sentence = `rb-sentence-${++id}`;
    const replace = key => {
      siblings[index] = structuredClone(known.operators.find(one => one.key === key).start);
      draw(`${where}|kind`);
    };
    return el('div', {class: 'rb-leaf', role: 'group', 'aria-labelledby': sentence, 'data-where': where},
      el('div', {class: 'rb-head'},
        select(words.kind, known.operators.map(one => [one.key, one.title]), operator && operator.key, replace, {'data-f': `${where}|kind`, title: operator ? operator.help : ''}),
        el('output', {class: 'rb-count'}), tools(where, siblings, index, listPath)),
      operator ? el('div', {class: 'rb-fields'}, fields(operator, node, where)) : data(node, words.asText, value => { siblings[index] = value; changed(); }),
      el('p', {class: 'rb-sentence', id: sentence}, words.condition), el('p', {class: 'rb-error', hidden: true}));
  }

  function fields(operator, node, where) {
    const optional = operator.fields.filter(one => !one.required), aggregates = optional.filter(one => one.kind === 'comparisons');
    const many = aggregates.length > 1, parts = [], missing = [];
    for (const spec of operator.fields) {
      if (many && aggregates.includes(spec)) continue;
      if (spec.required || spec.name in node) parts.push(field(operator, spec, node, where));
      else missing.push(spec);
      if (spec.required && operator.compares) parts.push(comparisons(node, where, meaning(operator, spec.name, node), known.comparisons.labels));
      if (spec.required && many) parts.push(aggregate(operator, aggregates, node, where));
    }
    if (missing.length) {
      parts.push(select(words.more, [['', `+ ${words.more}`], ...missing.map(one => [one.name, one.label])], '', chosen => {
        if (!chosen) return;
        node[chosen] = fresh(missing.find(one => one.name === chosen));
        draw(`${where}.${chosen}|value`);
      }, {class: 'rb-more', 'data-f': `${where}|more`}));
    }
    return parts;
  }

  const fresh = spec => ({period: '30d', moment: '', comparisons: {gte: 1}, conditions: {}, truth: true, number: spec.ge ?? 0, choice: spec.choices[0], data: [], text: ''})[spec.kind];

  /* What is compared: "number of times", "sum" and so on, one of them at a time. */
  function aggregate(operator, specs, node, where) {
    const current = specs.find(one => one.name in node), name = current ? current.name : specs[0].name;
    if (!current) node[name] = {gte: 1};
    const sums = ['sum', 'avg', 'min', 'max'];
    const change = chosen => {
      const value = node[name];
      delete node[name];
      const timed = one => one === 'first' || one === 'last';
      node[chosen] = timed(chosen) === timed(name) ? value : timed(chosen) ? {within: '30d'} : {gte: 1};
      if (sums.includes(chosen)) node.of ??= properties(node)[0] || 'amount';
      else if (!timed(chosen)) delete node.of;
      draw(`${where}|aggregate`);
    };
    const kind = name === 'first' || name === 'last' ? (node.of ? 'any' : 'date') : 'number';
    return el('span', {class: 'rb-field'}, select(words.comparison, specs.map(one => [one.name, one.label]), name, change, {'data-f': `${where}|aggregate`}),
      comparisons(opened(node, name), `${where}.${name}`, {kind}, known.comparisons.labels));
  }

  /* `count: 3` is short for `{eq: 3}`, a list for `{in: [...]}`. */
  function opened(node, name) {
    if (!plain(node[name])) node[name] = Array.isArray(node[name]) ? {in: node[name]} : {eq: node[name]};
    return node[name];
  }
  const properties = node => (known.suggestions.event.find(one => one.key === (node.event || node.not)) || {properties: []}).properties;

  function meaning(operator, name, node) {
    const found = (known.suggestions[name] || []).find(one => one.key === node[name]);
    return found ? {kind: found.kind || 'any', choices: found.choices || []} : {kind: 'any', choices: []};
  }

  function field(operator, spec, node, where) {
    const place = `${where}.${spec.name}`, set = value => { node[spec.name] = value; changed(); };
    const drop = spec.required ? null : button('×', () => { delete node[spec.name]; draw(`${where}|more`); }, {class: 'rb-drop', 'aria-label': `${words.remove}: ${spec.label}`, title: words.remove});
    return el('span', {class: 'rb-field'}, el('span', {class: 'rb-label', 'aria-hidden': 'true'}, spec.label),
      spec.kind === 'conditions' || spec.kind === 'items' ? [drop, control(spec, node, place, set)] : [control(spec, node, place, set), drop]);
  }

  function control(spec, node, place, set) {
    const value = node[spec.name], more = {'data-f': `${place}|value`}, options = known.suggestions[spec.name === 'not' ? 'event' : spec.name];
    if (spec.kind === 'items') return items(node, spec, place);
    if (spec.kind === 'comparisons') return comparisons(opened(node, spec.name), place, {kind: 'any', choices: options || []}, known.comparisons.labels);
    if (spec.kind === 'conditions') return conditions(node, spec, place);
    if (value !== null && typeof value === 'object') return data(value, spec.label, set, more);
    if (spec.kind === 'choice') return select(spec.label, spec.choices.map(one => [one, one]), value, set, more);
    if (spec.kind === 'truth') return select(spec.label, [['true', words.yes], ['false', words.no]], String(value), text => set(text === 'true'), more);
    if (spec.kind === 'period') return period(spec.label, value, set, more);
    if (spec.kind === 'moment') return moment(spec.label, value, set, more);
    if (spec.kind === 'number') return input(spec.label, value, text => set(text === '' ? null : Number(text)), {type: 'number', step: 'any', min: spec.ge, max: spec.le, ...more});
    if (typeof value !== 'string' && value !== undefined || spec.kind === 'data') return data(value, spec.label, set, more);
    const renew = text => { set(text); if (spec.name === 'attribute' || spec.name === 'insight') draw(); };
    if (options && !['attribute', 'event', 'not'].includes(spec.name)) return select(spec.label, options.map(one => [one.key, one.label]), value, renew, more);
    if (spec.name === 'of') return suggested(spec.label, properties(node).map(key => ({key})), value, set, more);
    if (options) return suggested(spec.label, options, value, set, {...more, onchange: () => draw()});
    return input(spec.label, value, set, more);
  }

  /* A list of things that each have fields of their own: the steps of a sequence. */
  function items(node, spec, place) {
    const all = node[spec.name] = Array.isArray(node[spec.name]) ? node[spec.name] : [];
    const rows = all.map((item, index) => el('li', {class: 'rb-item'}, plain(item) ? fields({fields: spec.fields}, item, `${place}[${index}]`) : data(item, spec.label, value => { all[index] = value; changed(); }),
      tools(`${place}[${index}]`, all, index, place)));
    return el('span', {class: 'rb-items'}, el('ol', {'aria-label': spec.label}, rows),
      button(`+ ${words.addStep}`, () => { all.push({event: 'purchase'}); draw(`${place}[${all.length - 1}].event|value`); }, {'data-f': `${place}|add`}));
  }

  function data(value, label, set, more) {
    return el('textarea', {rows: 3, class: 'code', 'aria-label': `${label}, ${words.data}`, ...more, oninput: event => {
      try { set(JSON.parse(event.target.value)); event.target.removeAttribute('aria-invalid'); } catch { event.target.setAttribute('aria-invalid', 'true'); }
    }}, JSON.stringify(value));
  }

  function conditions(node, spec, place) {
    if (!plain(node[spec.name])) node[spec.name] = {};
    const held = node[spec.name], names = properties(node).map(key => ({key}));
    const rename = (from, to) => {
      const pairs = Object.entries(held).map(([key, value]) => [key === from ? to : key, value]);
      for (const key of Object.keys(held)) delete held[key];
      Object.assign(held, Object.fromEntries(pairs));
      draw(`${place}.${to}|property`);
    };
    const rows = Object.keys(held).map(key => el('span', {class: 'rb-property'},
      suggested(words.property, names, key, () => {}, {'data-f': `${place}.${key}|property`, onchange: event => event.target.value && rename(key, event.target.value)}),
      comparisons(opened(held, key), `${place}.${key}`, {kind: 'any', choices: []}, known.comparisons.labels, () => { delete held[key]; draw(); })));
    const next = () => {
      const name = names.map(one => one.key).find(key => !(key in held)) || `property_${Object.keys(held).length + 1}`;
      held[name] = {gte: 1};
      draw(`${place}.${name}|property`);
    };
    return el('span', {class: 'rb-conditions'}, rows, button(`+ ${words.addProperty}`, next, {'data-f': `${place}|value`}));
  }

  /* The comparisons in `held`, each with its value; `emptied` is called when the last one goes. */
  function comparisons(held, place, sense, labels, emptied) {
    const fitting = known.comparisons.fitting[sense.kind] || (sense.choices && sense.choices.length ? ['eq', 'ne', 'in', 'not_in', 'is_set'] : known.comparisons.fitting.any);
    const options = fitting.map(name => [name, labels[name]]), said = Object.keys(held).filter(name => name in labels && !(name === 'within' && 'event' in held));
    const start = name => ({in: [], not_in: [], is_set: true, within: '30d', anniversary_within: '7d', before: '', after: ''})[name] ?? '';
    const rename = name => chosen => {
      const value = held[name], lists = one => ['in', 'not_in'].includes(one), simple = one => start(one) === '';
      const pairs = Object.entries(held).map(([key, old]) => key !== name ? [key, old]
        : [chosen, lists(name) && lists(chosen) || simple(name) && simple(chosen) ? value : lists(chosen) && simple(name) && value !== '' ? [value] : simple(chosen) && lists(name) ? value[0] ?? '' : start(chosen)]);
      for (const key of Object.keys(held)) delete held[key];
      Object.assign(held, Object.fromEntries(pairs));
      draw(`${place}|${chosen}`);
    };
    const rows = said.map(name => el('span', {class: 'rb-comparison'},
      select(words.comparison, options, name, rename(name), {'data-f': `${place}|${name}`}),
      operand(name, held, sense, `${place}.${name}|value`),
      said.length > 1 || emptied ? button('×', () => { delete held[name]; if (said.length === 1 && emptied) emptied(); else draw(`${place}|add`); }, {class: 'rb-drop', 'aria-label': words.remove, title: words.remove}) : null));
    const left = fitting.filter(name => !(name in held));
    const add = button('+', () => { held[left[0]] = start(left[0]); draw(`${place}|${left[0]}`); }, {title: words.addComparison, 'aria-label': words.addComparison, 'data-f': `${place}|add`, class: 'rb-drop'});
    return el('span', {class: 'rb-comparisons'}, rows, left.length ? add : null);
  }

  function operand(name, held, sense, place) {
    const value = held[name], set = next => { held[name] = next; changed(); }, more = {'data-f': place};
    const choices = (sense.choices || []).map(one => [one.key, one.label]);
    const read = text => sense.kind !== 'text' && sense.kind !== 'date' && !choices.length && /^-?(0|[1-9]\d{0,14})(\.\d+)?$/.test(text.trim()) ? Number(text) : text;
    if (name === 'is_set' || sense.kind === 'boolean' && ['eq', 'ne'].includes(name)) return select(words.value, [['true', words.yes], ['false', words.no]], String(value === '' ? true : value), text => set(text === 'true'), more);
    if (name === 'within' || name === 'anniversary_within') return period(words.value, value, set, more);
    if (name === 'before' || name === 'after') return moment(words.value, value, set, more);
    if (name === 'in' || name === 'not_in') {
      const values = Array.isArray(value) ? value : [value];
      if (!choices.length) return input(words.values, values.join(', '), text => set(text.split(',').map(one => one.trim()).filter(one => one !== '').map(read)), {...more, placeholder: words.values});
      return el('span', {class: 'rb-choices', role: 'group', 'aria-label': words.values}, choices.map(([key, label], place) => el('label', {},
        el('input', {type: 'checkbox', checked: values.includes(key), 'data-f': place ? undefined : more['data-f'], onchange: event => {
          const now = new Set(Array.isArray(held[name]) ? held[name] : [held[name]]);
          event.target.checked ? now.add(key) : now.delete(key);
          set([...now]);
        }}), label)));
    }
    if (choices.length) return select(words.value, choices, value, set, more);
    if (sense.kind === 'date') return moment(words.value, value, set, more);
    return input(words.value, value, text => set(read(text)), {...more, inputmode: sense.kind === 'number' ? 'decimal' : undefined});
  }

  const UNITS = [['s', 'seconds'], ['m', 'minutes'], ['h', 'hours'], ['d', 'days'], ['w', 'weeks'], [' calendar days', 'calendar days'], [' months', 'months']];
  function period(label, value, set, more) {
    const read = /^(\d+)\s*([smhdw]|calendar days?|months?)$/.exec(value ?? '');
    if (!read) return input(label, value, set, more);
    const unit = UNITS.find(([, name]) => name.startsWith(read[2]) && read[2].length > 1 || read[2] === UNITS.find(one => one[1] === name)[0]) || UNITS[3];
    let amount = read[1], chosen = unit[0];
    const put = () => set(`${amount || 0}${chosen}`);
    return el('span', {class: 'rb-period'},
      input(label, amount, text => { amount = text; put(); }, {type: 'number', min: 1, ...more}),
      select(label, UNITS.map(([key, name]) => [key, words[name]]), chosen, key => { chosen = key; put(); }));
  }
  function moment(label, value, set, more) {
    const day = !value || /^\d{4}-\d{2}-\d{2}$/.test(value);
    return input(label, value, set, {type: day ? 'date' : 'text', ...more});
  }

  /* Something was written: count and check it, shortly after the last key. */
  function changed() {
    if (mode === 'builder') area.value = JSON.stringify(rule, null, 2);
    clearTimeout(timer);
    timer = setTimeout(check, WAIT);
  }

  async function check() {
    if (running) running.abort();
    const own = running = new AbortController(), asked = mode;
    root.setAttribute('aria-busy', 'true');
    status.classList.add('rb-waits');
    try {
      const answer = await fetch(root.dataset.checkUrl, {method: 'POST', signal: own.signal, body: JSON.stringify(mode === 'builder' ? {rule} : {text: area.value}),
        headers: {'Content-Type': 'application/json', 'X-CSRFToken': form.querySelector('[name=csrfmiddlewaretoken]').value}});
      if (!answer.ok) throw new Error(String(answer.status));
      const found = await answer.json();
      if (own === running && asked === mode) show(found);
    } catch (error) {
      if (error.name !== 'AbortError') status.textContent = words.offline;
    } finally {
      if (own === running) { root.removeAttribute('aria-busy'); status.classList.remove('rb-waits'); }
    }
  }

  function show(found) {
    if (mode === 'builder' && found.text) area.value = found.text;
    if (mode === 'text') rule = found.rule;
    const people = (count, exact) => `${exact === false ? `${words.about} ` : ''}${number.format(count)}`;
    status.classList.toggle('bad', found.problems.length > 0 || Boolean(found.slow));
    status.textContent = found.problems.length ? `${words.mistakes}: ${found.problems.length}` : found.slow ? found.slow
      : `${people(found.count, found.exact)} ${words.of} ${number.format(found.total)} ${words.matches}`;
    list.replaceChildren(...found.problems.map(one => el('li', {}, one.line ? button(`${words.line} ${one.line}`, () => reach(one.line)) : el('code', {}, one.where), ` ${one.text}`)));
    list.hidden = mode === 'builder' || !found.problems.length;
    area.setAttribute('aria-invalid', found.problems.length ? 'true' : 'false');
    const nodes = new Map(found.nodes.map(node => [node.where, node])), told = new Map();
    const parts = [...board.querySelectorAll('[data-where]')], places = new Set(parts.map(part => part.dataset.where));
    for (const problem of found.problems) {
      let where = problem.where;
      while (where && !places.has(where)) where = where.slice(0, Math.max(where.lastIndexOf('.'), where.lastIndexOf('['), 0));
      told.set(where || 'rule', [...(told.get(where || 'rule') || []), problem.text]);
    }
    for (const part of parts) {
      const node = nodes.get(part.dataset.where), own = selector => part.querySelector(`:scope > ${selector}`);
      own('.rb-head').querySelector('.rb-count').textContent = node && node.count !== undefined ? `${people(node.count, node.exact)} ${node.count === 1 ? words.person : words.people}` : '';
      if (own('.rb-sentence') && node) own('.rb-sentence').textContent = node.sentence;
      const texts = told.get(part.dataset.where);
      own('.rb-error').hidden = !texts;
      own('.rb-error').textContent = texts ? texts.join(' · ') : '';
    }
  }

  function reach(line) {
    const lines = area.value.split('\n'), start = lines.slice(0, line - 1).join('\n').length + (line > 1 ? 1 : 0);
    area.focus();
    area.setSelectionRange(start, start + (lines[line - 1] || '').length);
  }

  async function turn(wanted) {
    if (wanted === 'builder') {
      const answer = mode === 'text' ? await read() : {rule};
      if (!plain(answer.rule) || answer.problems && answer.problems.some(one => one.where === '' || one.where === 'rule')) {
        show(answer);
        status.textContent = words.unreadable;
        return;
      }
      rule = kindOf(answer.rule) && Array.isArray(answer.rule[kindOf(answer.rule)]) ? answer.rule : {all: [answer.rule]};
    }
    mode = wanted;
    root.classList.toggle('rb-on', mode === 'builder');
    board.hidden = mode !== 'builder';
    for (const one of views) one.setAttribute('aria-pressed', String(one.dataset.view === mode));
    if (mode === 'builder') draw(); else changed();
  }

  async function read() {
    const answer = await fetch(root.dataset.checkUrl, {method: 'POST', body: JSON.stringify({text: area.value}),
      headers: {'Content-Type': 'application/json', 'X-CSRFToken': form.querySelector('[name=csrfmiddlewaretoken]').value}});
    return answer.json();
  }

  fetch(root.dataset.formsUrl).then(answer => answer.json()).then(found => {
    known = found;
    words = found.words;
    root.querySelector('[data-switch]').hidden = false;
    for (const one of views) one.addEventListener('click', () => turn(one.dataset.view));
    area.addEventListener('input', changed);
    area.addEventListener('keydown', event => {
      if (event.key !== 'Enter' || event.isComposing) return;
      const before = area.value.slice(0, area.selectionStart), indent = /(^|\n)( *)[^\n]*$/.exec(before)[2];
      if (!indent) return;
      event.preventDefault();
      document.execCommand('insertText', false, `\n${indent}`);
    });
    return turn('builder');
  }).catch(() => { status.textContent = ''; });
})();
