// Solutions of pages for `deskhand eval miniwob --oracle`.
//
// dhSolve(page, question) looks at the page and says the next action in the
// words of `deskhand act`, points in pixels of the screen; "" to look again,
// "unknown" where there is no solution. It changes nothing: what is done is done
// by mouse and keyboard. A page's name in quotes says that it can be solved.
window.dhSolve = (() => {
    const $ = (css) => document.querySelector(css);
    const $$ = (css) => [...document.querySelectorAll(css)];
    const text = (e) => e.textContent.replace(/\s+/g, ' ').trim();
    const shown = (e) => e && e.getClientRects().length > 0;
    const named = (css, name) =>
        $$(css).find((e) => shown(e) && text(e) === name);
    const quoted = (q) => [...q.matchAll(/"([^"]*)"/g)].map((m) => m[1]);
    const key = (k) => `key ${k}`;
    const type = (s) => `type ${JSON.stringify(s)}`;

    // What moves is waited for; what is covered is clicked where it is not.
    let last = '';
    const used = new WeakSet();
    const click = (e, at) => {
        if (!shown(e))
            return '';
        const r = e.getClientRects()[0];
        const now = [r.x, r.y, r.width, r.height, innerWidth].join();
        if (now !== last) {
            last = now;
            return '';
        }
        const places = at ? [at] : [];
        for (const fx of [0.5, 0.1, 0.9, 0.3, 0.7])
            for (const fy of [0.5, 0.1, 0.9, 0.3, 0.7])
                places.push([fx, fy]);
        for (const [fx, fy] of places) {
            const x = r.x + r.width * fx, y = r.y + r.height * fy;
            const hit = document.elementFromPoint(x, y);
            if (!hit || !(e === hit || e.contains(hit)))
                continue;
            const d = devicePixelRatio;
            last = '';
            return `left_click ${Math.floor(x * d)} ${Math.floor(y * d)}`;
        }
        return '';
    };
    const once = (e) => {
        const a = used.has(e) ? null : click(e);
        if (a)
            used.add(e);
        return a;
    };
    const submit = () =>
        click($('#subbtn') || $('#submit') || $('#area button'));
    // A text field that is to hold s; null where it does.
    const fill = (e, s) =>
        e.value === s ? null
        : document.activeElement !== e ? click(e)
        : e.value !== '' ? key('ctrl+a') && erase(e)
        : type(s);
    const erase = (e) =>
        e.selectionEnd - e.selectionStart === e.value.length ? key('BackSpace')
                                                             : key('ctrl+a');
    // Tick boxes so that those hold whose label `wants`.
    const tick = (wants) => {
        for (const l of $$('#area label')) {
            const box = l.querySelector('input');
            if (box && box.checked !== wants(text(l)))
                return click(box);
        }
        return submit();
    };
    const fields = (pairs) => {
        for (const [css, s] of pairs) {
            const a = fill($(css), s);
            if (a !== null)
                return a;
        }
        return submit();
    };
    // Names between "Select" and what comes after them.
    const chosen = (q) =>
        q.match(/^Select (?:words similar to )?(.*?)(?: from the .*)? and (?:click|hit) Submit/)[1]
            .split(', ');
    const step = (have, want, less, more) =>
        have === want ? null : have < want ? more() : less();

    const sought = (name, open) => {
        const e = $$('.alink').find((l) => text(l) === name);
        return shown(e) ? click(e) : open(e);
    };
    const nth = (q) => Number(q.match(/(\d+)(?:st|nd|rd|th)/)[1]) - 1;
    const row = (name) => text(
        $$('#tab tr').find((r) => text(r.children[0]) === name).children[1]);

    const solve = {};
    const on = (pages, how) => pages.forEach((p) => { solve[p] = how; });

    on(['click-test'], () => click($('#subbtn')));
    on(['click-test-2', 'click-test-transfer'], (q) =>
        click(named('button', q.match(/button (\w+)\./)[1])));
    on(['click-button', 'unicode-test'], (q) =>
        click(named('#area button', quoted(q)[0])));
    on(['click-button-sequence'], () =>
        used.has($('#subbtn')) ? once($('#subbtn2')) : once($('#subbtn')));
    on(['click-checkboxes', 'click-checkboxes-large',
        'click-checkboxes-transfer', 'click-option'], (q) =>
        tick((t) => chosen(q).includes(t)));
    on(['click-dialog'], () => click($('.ui-dialog-titlebar-close')));
    on(['click-dialog-2'], (q) =>
        click(quoted(q)[0] === 'x' ? $('.ui-dialog-titlebar-close')
              : named('.ui-dialog-buttonset button', quoted(q)[0])));
    on(['click-link'], (q) => click(named('.alink', quoted(q)[0])));
    on(['click-tab'], (q) =>
        click(named('#area ul a', q.match(/Tab #\d/)[0])));
    on(['click-tab-2', 'click-tab-2-easy', 'click-tab-2-medium',
        'click-tab-2-hard'], (q) =>
        sought(quoted(q)[0], (e) => click(
            $(`#area ul a[href="#${e.closest('[id^=tabs-]').id}"]`))));
    on(['click-collapsible', 'click-collapsible-nodelay'], () =>
        shown($('.ui-accordion-content')) ? submit() : click($('#area h3')));
    on(['click-collapsible-2', 'click-collapsible-2-nodelay'], (q) =>
        sought(quoted(q)[0], (e) =>
            click(e.closest('.ui-accordion-content').previousElementSibling)));
    on(['click-color'], (q) => {
        const name = q.match(/the (\w+) colored/)[1];
        return click($(`#area .color[data-color=${name}]`));
    });
    on(['click-shades'], (q) => {
        const name = q.match(/shades of (\w+)/)[1];
        const next = $$('#area span').find((e) =>
            (e.className === 'selected') !== (e.dataset.color === name));
        return next ? click(next) : submit();
    });
    on(['click-widget'], (q) =>
        click($(`#area [data-type="${quoted(q)[0]}"]`)));
    on(['grid-coordinate'], (q) =>
        click(document.getElementById(q.match(/\(.*\)/)[0])));
    on(['identify-shape'], () => {
        const e = $('#area_svg').lastElementChild;
        const kind = e.tagName === 'text'
            ? (/\d/.test(e.textContent) ? 'digit' : 'letter')
            : { rect: 'rectangle', circle: 'circle', polygon: 'triangle' }[e.tagName];
        return click($(`#area-buttons [data-type=${kind}]`));
    });
    on(['odd-or-even'], () => {
        for (const r of $$('.row')) {
            const odd = Number(text(r.querySelector('.display-number'))) % 2;
            const b = r.querySelector(odd ? '.odd' : '.even');
            if (!b.classList.contains('selected'))
                return click(b);
        }
        return submit();
    });
    on(['navigate-tree'], (q) => {
        const name = quoted(q)[0];
        const e = $$('#tree span').find((s) => text(s) === name);
        for (let up = e; up && up.id !== 'tree'; up = up.parentElement)
            if (up.tagName === 'LI' && up !== e.parentElement &&
                up.classList.contains('expandable') &&
                shown(up) && !shown(e.parentElement))
                e.dhOpen = up;
        return shown(e) ? click(e)
                        : click(e.dhOpen.querySelector('.hitarea'));
    });

    on(['focus-text'], () => click($('#area input')));
    on(['focus-text-2'], (q) => click($$('#area input')[nth(q)]));
    on(['enter-text', 'enter-text-dynamic'], (q) =>
        fields([['#tt', quoted(q)[0]]]));
    on(['enter-text-2'], (q) => {
        const s = quoted(q)[0];
        return fields([['#tt', /upper case/.test(q) ? s.toUpperCase()
                                                     : s.toLowerCase()]]);
    });
    on(['enter-password'], (q) => {
        const s = quoted(q)[0];
        return fields([['#password', s], ['#verify', s]]);
    });
    on(['login-user', 'login-user-popup'], (q) => {
        const [user, password] = quoted(q);
        return $('#popup') ? click($('#popup-cancel'))
            : fields([['#username', user], ['#password', password]]);
    });
    on(['text-transform'], () => fields([['#tt', text($('#captcha'))]]));
    on(['find-word'], (q) => {
        const word = text($('#area p')).split(' ')[nth(q)];
        return fields([['#answer-input', word.replace(/[^a-zA-Z]/g, '')]]);
    });
    on(['read-table'], (q) =>
        fields([['#tt', row(q.match(/value of (.*) into/)[1])]]));
    on(['read-table-2'], () => fields([1, 2].map((i) =>
        [`#tt${i}`, row(text($(`#ll${i}`)).replace(/:$/, ''))])));
    on(['copy-paste'], () =>
        fields([['#answer-input', $('#to-copy').value]]));
    on(['simple-arithmetic'], () => {
        const [, a, op, b] =
            text($('#math-problem')).match(/(\d+) (.) (\d+)/);
        const n = op === '+' ? +a + +b : op === '-' ? a - b : a * b;
        return fields([['#math-answer', String(n)]]);
    });
    on(['simple-algebra'], () => {
        const [, a, op, b, n] =
            text($('#math-problem')).match(/(\w+) (.) (\w+) = (\d+)/);
        const x = a === 'x' ? (op === '+' ? n - b : +n + +b)
                            : (op === '+' ? n - a : a - n);
        return fields([['#math-answer', String(x)]]);
    });
    on(['visual-addition'], () =>
        fields([['#math-answer', String($$('.addition-block').length)]]));

    // A date or a time is typed part by part, the first part being focused.
    const parts = (value, keys) => {
        const e = $('#tt');
        return e.value === value ? submit()
             : document.activeElement !== e ? key('Tab')
             : type(keys);
    };
    on(['enter-date'], (q) => {
        const [, m, d, y] = q.match(/(\d+)\/(\d+)\/(\d+)/);
        return parts(`${y}-${m}-${d}`, m + d + y);
    });
    on(['enter-time'], (q) => {
        const [, h, m, half] = q.match(/(\d+):(\d+)\s*([AP]M)/);
        const hour = h % 12 + (half === 'PM' ? 12 : 0);
        return parts(`${String(hour).padStart(2, '0')}:${m}`,
                     h.padStart(2, '0') + m + half[0]);
    });
    on(['choose-list'], (q) => {
        const e = $('#options');
        const want = [...e.options].findIndex(
            (o) => text(o) === chosen(q).join(', '));
        return document.activeElement !== e && e.selectedIndex !== want
            ? key('Tab')
            : step(e.selectedIndex, want, () => key('Up'), () => key('Down')) ??
                submit();
    });
    on(['use-slider'], (q) => {
        const e = $('.ui-slider-handle');
        const want = Number(q.match(/Select (-?\d+)/)[1]);
        const have = Number(text($('#val')));
        return have === want ? submit()
             : document.activeElement !== e ? click(e)
             : key(have < want ? 'Right' : 'Left');
    });
    on(['use-spinner'], (q) => step(
        Number($('#spinner').value), Number(q.match(/Select (-?\d+)/)[1]),
        () => click($('.ui-spinner-down')), () => click($('.ui-spinner-up'))) ??
        submit());

    return (page, question) =>
        solve[page] ? solve[page](question) || '' : 'unknown';
})(), 0;
